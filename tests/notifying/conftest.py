"""The small world, over each database."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.notifying.world import World


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """Registered, with no alert, and notifications turned on."""
    with closing(World(url)) as made:
        made.register()
        made.relational.notifications.begin()
        yield made
