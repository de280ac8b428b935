"""The queue's counts, made anew with every change only: they cost more than a page of the alerts."""

from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakKeyDictionary

from collector.changes import Changes
from collector.http.services import Services
from collector.relational.listing import AlertQuery, Counts

RECOUNT_MS: Final = 10_000  # how old the count of what is late may be
_MOST: Final = 256


@dataclass
class _Held:
    """What was counted at one revision."""

    revision: int
    counts: dict[tuple[AlertQuery, int], Counts] = field(default_factory=dict)


_held: WeakKeyDictionary[Changes, _Held] = WeakKeyDictionary()


def counted(services: Services, query: AlertQuery, now: int) -> Counts:
    """The open alerts through the query's filters, by work and severity; `query.csm` says who sees them."""
    held = _held.get(services.changes)
    revision = services.changes.revision
    if held is None or held.revision != revision or len(held.counts) > _MOST:
        held = _held[services.changes] = _Held(revision)
    moment = now // RECOUNT_MS * RECOUNT_MS
    alike = replace(query, state="open", works=(), severity=None, suppressed=None, overdue_at=None)
    if (alike, moment) not in held.counts:
        held.counts[alike, moment] = services.relational.queue.counts(moment, alike)
    return held.counts[alike, moment]
