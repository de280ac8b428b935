"""Where the relational part can lie: a test that takes `url` or `database` runs over each kind.

`url` is an empty database, `database` the relational part opened on it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.relational import Relational
from tests.postgres import Postgres

KINDS = ("sqlite", "postgresql")
Fresh = Callable[[], str]


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Answers the URL of another empty database with every call."""
    if request.param == "sqlite":
        numbers = iter(range(1_000_000))
        return lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return lambda: server.url(server.new_database())


@pytest.fixture
def url(fresh: Fresh) -> str:
    """An empty database."""
    return fresh()


@pytest.fixture
def database(url: str) -> Iterator[Relational]:
    """The relational part, with nothing in it."""
    with closing(Relational(url)) as relational:
        yield relational
