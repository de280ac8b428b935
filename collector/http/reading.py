"""What pages read from a store that may be away: then they show the rest, and say so."""

from collections.abc import Callable
from typing import TypeVar

from collector.limited import Limited
from collector.stores import StoreError

T = TypeVar("T")
_limited = Limited()


def readable(ask: Callable[[], T]) -> T | None:
    """What the store answers; None, and a line in the log, while it cannot."""
    try:
        return ask()
    except StoreError as error:
        _limited.warning("a page cannot be complete", "store", error=" ".join(str(error).split()))
        return None
