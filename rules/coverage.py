"""Which rules, and which of the states their signals can be in, some test reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rules.lifecycle import State
from rules.rule import Rule, RuleSet
from rules.testing import Result


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many states of how many rules were reached; `missing` are the others, in the order of the rules."""

    rules: int
    reachable: int
    missing: tuple[tuple[str, State], ...]

    @property
    def reached(self) -> int:
        """How many states some test reached."""
        return self.reachable - len(self.missing)

    @property
    def percent(self) -> float:
        """100 where there is nothing to reach."""
        return 100 * self.reached / self.reachable if self.reachable else 100.0

    def __str__(self) -> str:
        states = f"{self.reached} of {self.reachable} states of {self.rules} rules"
        return f"coverage {self.percent:.1f} %: {states}"


def of(rules: RuleSet, results: Sequence[Result]) -> Coverage:
    """What the tests with these results reached of the rules."""
    reached = {state for result in results for state in result.reached}
    reachable = [(rule.name, state) for rule in rules.rules for state in states(rule)]
    return Coverage(len(rules.rules), len(reachable), tuple(one for one in reachable if one not in reached))


def states(rule: Rule) -> Iterator[State]:
    """The states, other than rest, that a signal of the rule can be in."""
    if rule.for_ms:
        yield State.PENDING
    yield State.FIRING
    if rule.keep_firing_for_ms:
        yield State.RECOVERING
    yield State.RESOLVED
    if rule.missing_data == "unknown":
        yield State.UNKNOWN
