"""What two rule sets make of the same recording: alerts of one, of the other, and of both at other times."""

from collections.abc import Sequence
from dataclasses import dataclass

from rules.alerts import Alert, Key


@dataclass(frozen=True, slots=True)
class Moved:
    """The same trouble, told at another time or suppressed otherwise."""

    new: Alert
    old: Alert


@dataclass(frozen=True, slots=True)
class Difference:
    """Each list in the order in which the alerts began; `same` counts the alerts that are alike in both."""

    only_new: tuple[Alert, ...]
    only_old: tuple[Alert, ...]
    moved: tuple[Moved, ...]
    same: int

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.only_new or self.only_old or self.moved)


def between(new: Sequence[Alert], old: Sequence[Alert]) -> Difference:
    """Alerts of one rule about one entity are the same trouble where they fire at the same time."""
    mine, theirs = _by_key(new), _by_key(old)
    only_new: list[Alert] = []
    only_old: list[Alert] = []
    moved: list[Moved] = []
    for key in mine.keys() | theirs.keys():
        pairs, left, right = _paired(mine.get(key, []), theirs.get(key, []))
        moved += [pair for pair in pairs if not _alike(pair.new, pair.old)]
        only_new += left
        only_old += right
    same = len(new) - len(only_new) - len(moved)
    return Difference(
        tuple(sorted(only_new, key=_order)),
        tuple(sorted(only_old, key=_order)),
        tuple(sorted(moved, key=lambda pair: _order(pair.new))),
        same,
    )


def _by_key(alerts: Sequence[Alert]) -> dict[Key, list[Alert]]:
    found: dict[Key, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.key, []).append(alert)
    return found


def _paired(new: list[Alert], old: list[Alert]) -> tuple[list[Moved], list[Alert], list[Alert]]:
    """Goes through both in order of time; each alert is paired once, with the first that overlaps it."""
    pairs: list[Moved] = []
    left: list[Alert] = []
    right: list[Alert] = []
    mine, theirs = 0, 0
    while mine < len(new) and theirs < len(old):
        one, other = new[mine], old[theirs]
        if one.end is not None and one.end < other.begin:
            left.append(one)
            mine += 1
        elif other.end is not None and other.end < one.begin:
            right.append(other)
            theirs += 1
        else:
            pairs.append(Moved(one, other))
            mine, theirs = mine + 1, theirs + 1
    return pairs, left + new[mine:], right + old[theirs:]


def _alike(one: Alert, other: Alert) -> bool:
    """Whatever the value was: a changed threshold alone is no difference."""
    return (one.begin, one.end, one.hidden) == (other.begin, other.end, other.hidden)


def _order(alert: Alert) -> tuple[int, Key]:
    return alert.begin, alert.key
