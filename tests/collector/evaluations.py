"""Evaluations to commit, in few words."""

from dataclasses import dataclass, field

from rules.evaluation import Entity, Evaluation, Event, Evidence, Reading
from rules.lifecycle import State
from rules.rule import CallToAction, Compare, Comparison, Group, Increase, Rule, RuleSet, Severity, Text

HOUR = 3_600_000


def rule(name: str, severity: Severity = "medium", subsystem: str = "navigation") -> Rule:
    """A rule on relocalization faults."""
    return Rule(
        name=name,
        group="health",
        interval_ms=30_000,
        about=Text("Relocalization fails", "重定位异常"),
        summary=Text(
            "{robot} at {site}: {value} faults in {over}, {threshold} allowed, since {since}",
            "{site} 的 {robot} 在 {over} 内重定位异常 {value} 次",
        ),
        when=Compare(Increase(("navigation.relocalization_faults",), 6 * HOUR), Comparison("at least", 5)),
        missing_data="keep_last_state",
        severity=severity,
        subsystem=subsystem,
        call_to_action=CallToAction(Text("Map again", "重新建图"), "relocalize", 2 * HOUR, 24 * HOUR),
    )


RULES = RuleSet(
    (
        Group(
            "health",
            30_000,
            (
                rule("Relocalization"),
                rule("Silent", "high", "network"),
                rule("Burning", "critical", "system"),
            ),
        ),
    )
)


def evidence(value: float | None) -> tuple[Evidence, ...]:
    """What an event of the rule carries."""
    metrics = ("navigation.relocalization_faults",)
    measure = "increase of navigation.relocalization_faults over 6h"
    return (Evidence(measure, metrics, value, "at least", (5.0,), 6 * HOUR, "faults", True),)


@dataclass
class Signals:
    """Remembers every signal's state, so that events can be told by what they lead to."""

    states: dict[tuple[str, str], State] = field(default_factory=dict)

    def event(self, at: int, rule: str, robot: str, after: State, value: float | None = 6.0) -> Event:
        """The signal changes to `after`."""
        before = self.states.get((rule, robot), State.INACTIVE)
        self.states[rule, robot] = after
        entity = Entity("robot", robot)
        return Event(at, rule, entity, before, after, at - 60_000, value, 5.0, evidence(value))

    def fires(self, at: int, rule: str, *robots: str) -> Evaluation:
        """An evaluation at which the rule begins to fire on these robots."""
        return evaluation(at, *(self.event(at, rule, robot, State.FIRING) for robot in robots))

    def becomes(self, at: int, rule: str, robot: str, after: State) -> Evaluation:
        """An evaluation at which one signal changes."""
        return evaluation(at, self.event(at, rule, robot, after))


def evaluation(at: int, *events: Event, group: str = "health") -> Evaluation:
    """An evaluation with these events."""
    return Evaluation(at, group, events, (), ())


def measured(at: int, rule: str, robot: str, value: float | None) -> Evaluation:
    """An evaluation at which a firing signal has a new value."""
    entity = Entity("robot", robot)
    reading = Reading(at, rule, entity, State.FIRING, at - 60_000, value, 5.0, evidence(value))
    return Evaluation(at, "health", (), (reading,), ())
