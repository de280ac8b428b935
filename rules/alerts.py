"""What became of alerts: when each began and ended, and when it was suppressed, and by what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rules.evaluation import By, Entity, Evaluation, Event
from rules.flapping import begins, ends

Key = tuple[str, str, str]  # rule, kind of entity, id of entity


@dataclass(frozen=True, slots=True)
class Hidden:
    """A time in which an alert was suppressed; `until` is None where it was until the end of the alert."""

    since: int
    until: int | None
    by: By


@dataclass(slots=True)
class Alert:
    """An alert; `end` is None while it fires. Times are those of evaluations."""

    rule: str
    entity: Entity
    begin: int
    since: int  # when its condition began to hold
    value: float | None
    threshold: float | None
    end: int | None = None
    hidden: list[Hidden] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.rule, self.entity.kind, self.entity.id

    @property
    def never_shown(self) -> bool:
        """Whether it was suppressed from its first evaluation to its last."""
        return bool(self.hidden) and self.hidden[0].since <= self.begin and self.hidden[-1].until is None

    def until(self, now: int) -> int:
        """When it ended, or now."""
        return now if self.end is None else self.end


class Alerts:
    """The alerts of evaluations, in the order in which they began."""

    def __init__(self) -> None:
        self._all: list[Alert] = []
        self._open: dict[Key, Alert] = {}
        self._hidden: dict[Key, Hidden] = {}

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def take(self, evaluation: Evaluation) -> None:
        """Evaluations come in their order."""
        for event in evaluation.events:
            key = (event.rule, event.entity.kind, event.entity.id)
            if begins(event):
                self._begin(key, event)
            elif ends(event) and key in self._open:
                self._open.pop(key).end = event.at
        for change in evaluation.suppressions:
            self._suppress((change.rule, change.entity.kind, change.entity.id), change.at, change.by)

    def _begin(self, key: Key, event: Event) -> None:
        alert = Alert(event.rule, event.entity, event.at, event.since, event.value, event.threshold)
        self._all.append(alert)
        self._open[key] = alert
        if key in self._hidden:
            alert.hidden.append(Hidden(event.at, None, self._hidden[key].by))

    def _suppress(self, key: Key, at: int, by: By | None) -> None:
        alert, before = self._open.get(key), self._hidden.pop(key, None)
        if alert is not None and before is not None and alert.hidden:
            last = alert.hidden.pop()
            alert.hidden.append(Hidden(last.since, at, last.by))
        if by is not None:
            self._hidden[key] = Hidden(at, None, by)
            if alert is not None:
                alert.hidden.append(Hidden(at, None, by))


def by_rule(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """The alerts of each rule that has any."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.rule, []).append(alert)
    return found
