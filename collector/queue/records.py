"""An alert as the queue knows it, and the lines of its audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from collector.ranking import Point, priority
from rules.evaluation import By, Entity, Evidence, SignalKey

SYSTEM: Final = "system"
SILENCE: Final = "silence"  # the kind of entity that a silence is, where it suppresses


class Work(StrEnum):
    """What people did about an alert."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Signal(StrEnum):
    """Whether the condition behind an alert holds."""

    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why an alert was closed; `resolved` is the system's own."""

    FIXED_REMOTELY = "fixed_remotely"
    FIXED_ON_SITE = "fixed_on_site"
    CUSTOMER_INFORMED = "customer_informed"
    FALSE_ALARM = "false_alarm"
    EXPECTED = "expected"
    OTHER = "other"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How bad it is, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Kind(StrEnum):
    """What an entry of the audit trail reports."""

    OPENED = "opened"
    SIGNAL = "signal"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    WOKE = "woke"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    ASSIGNED = "assigned"
    NOTED = "noted"
    CHECKED = "checked"
    ESCALATED = "escalated"
    RETURNED = "returned"
    RELAPSED = "relapsed"


REASONS: Final = tuple(reason for reason in Reason if reason is not Reason.RESOLVED)
RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
Detail = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one rule on one entity; all times in ms UTC.

    The deadlines of a snoozed alert stand still: they are what they were when the snooze began, and move
    on by its working time when it ends.
    """

    rule: str
    entity: Entity
    severity: Severity
    subsystem: str
    opened_at: int
    since: int  # when the condition began to hold
    opened_value: float | None
    value: float | None
    threshold: float | None
    evidence: tuple[Evidence, ...] = ()  # as it was when the alert opened
    signal: Signal = Signal.FIRING
    work: Work = Work.NEW
    signal_at: int = 0
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    snoozed_at: int | None = None
    snoozed_until: int | None = None
    snooze_reason: str | None = None
    closed_at: int | None = None
    closed_by: str | None = None
    close_reason: Reason | None = None
    close_note: str | None = None
    suppressed_by: By | None = None  # as the engine says
    silenced_by: By | None = None  # a silence or maintenance, whose id is the entity's
    customer: str | None = None  # of the entity
    site: str | None = None
    owner: str | None = None  # a person's id
    ack_due_at: int | None = None
    resolve_due_at: int | None = None
    ack_missed_at: int | None = None  # when it was escalated since nobody had taken it
    escalates_at: int | None = None  # when it is next escalated since it is not solved
    returns_at: int | None = None  # when it comes back as new, if nobody moves it
    escalated: int = 0  # how often
    moved_at: int | None = None  # when a person last did something about it
    relapse_of: int | None = None  # the alert that a person had closed shortly before
    relapses: int = 0  # how many such closes in a row
    checked: tuple[str, ...] = ()  # the steps of the playbook that are done
    priority: float = 0.0
    reasons: tuple[Point, ...] = ()  # for the priority
    revision: int = 0  # rises whenever its work, owner, notes or steps change
    id: int = 0  # given by the database

    @property
    def is_open(self) -> bool:
        """Whether it is still in the queue."""
        return self.work is not Work.CLOSED

    @property
    def key(self) -> SignalKey:
        """Rule, kind and id of entity: what no other open alert has."""
        return self.rule, self.entity.kind, self.entity.id

    @property
    def hidden_by(self) -> By | None:
        """What is shown as suppressing it: the engine's word first, else the silence."""
        return self.suppressed_by or self.silenced_by

    @property
    def due_at(self) -> int | None:
        """The next deadline; None where there is none, or where it stands still."""
        if self.work in (Work.CLOSED, Work.SNOOZED):
            return None
        ack = self.ack_due_at if self.acknowledged_at is None else None
        return min((due for due in (ack, self.resolve_due_at) if due is not None), default=None)

    @property
    def next_at(self) -> int | None:
        """When the system has something to do about it by itself: wake, escalate, or bring it back."""
        if self.work is Work.SNOOZED:
            return self.snoozed_until
        if self.work is Work.CLOSED or self.hidden_by is not None:
            return None
        moments = (
            self.ack_due_at if self.work is Work.NEW and self.ack_missed_at is None else None,
            self.escalates_at if self.signal is not Signal.RESOLVED else None,
            self.returns_at if self.work is Work.ACKNOWLEDGED else None,
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def ranked(self, reasons: tuple[Point, ...]) -> "Alert":
        """The same alert with these reasons for its rank."""
        return replace(self, reasons=reasons, priority=priority(reasons, self.opened_at))

    @property
    def measure(self) -> str:
        """What `value` is a value of: the first comparison's measure."""
        return self.evidence[0].measure if self.evidence else ""

    @property
    def unit(self) -> str:
        """Unit of `value` and `threshold`: that of the first comparison."""
        return self.evidence[0].unit if self.evidence else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit trail: what happened, when, and by whom."""

    at: int
    kind: Kind
    who: str
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An alert as it became, and the entries that say how."""

    alert: Alert
    entries: tuple[Entry, ...]
