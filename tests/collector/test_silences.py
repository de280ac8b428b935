"""Silences: what matches, when they hold, and what is refused."""

from dataclasses import replace

import pytest

from collector import silences
from collector.queue import Alert, Severity
from collector.silences import Draft, InvalidSilenceError, Matcher, Recurrence, Silence, SilenceKind
from rules.evaluation import By, Entity

T = 1_795_309_200_000  # Sunday 2026-11-22 01:00 UTC, 09:00 in Shanghai
HOUR = 3_600_000
ALERT = Alert("Silent", Entity("robot", "r1"), Severity.HIGH, "network", T, T, 1, 1, 1, customer="ACME")
MORNINGS = Recurrence("su 09:00-09:30", "Asia/Shanghai")
FACTS = silences.facts(ALERT, {"industry": "KTV", "floor": 3.0, "site": "elsewhere", "tier": "key"})
SILENCE = Silence(
    7, SilenceKind.SILENCE, (Matcher("customer", "=", ("ACME",)),), T, T + HOUR, "moving", "mei", T
)
DRAFT = Draft(SilenceKind.SILENCE, SILENCE.matchers, T, T + HOUR, "moving")
MANY = tuple(Matcher("robot", "!=", (f"x{number}",)) for number in range(silences.MAX_MATCHERS))


@pytest.mark.parametrize(
    ("name", "op", "values", "holds"),
    [
        ("rule", "=", ("Silent",), True),
        ("rule", "=", ("silent",), False),
        ("severity", "in", ("low", "high"), True),
        ("severity", "!=", ("high",), False),
        ("robot", "prefix", ("r",), True),
        ("robot", "prefix", ("x",), False),
        ("industry", "=", ("KTV",), True),
        ("floor", "=", ("3",), True),
        ("tier", "!=", ("long_tail",), True),
        ("region", "=", ("north",), False),
        ("region", "!=", ("north",), True),
        ("region", "prefix", ("",), False),
        ("kind", "=", ("robot",), True),
    ],
)
def test_matchers(name: str, op: silences.Op, values: tuple[str, ...], holds: bool) -> None:
    """Equal, not equal, one of, and prefix; what an alert lacks equals nothing."""
    assert Matcher(name, op, values).holds(FACTS) is holds


def test_the_alerts_own_facts_come_first() -> None:
    """A robot's attribute of the same name does not stand for what the alert is."""
    moved = silences.facts(replace(ALERT, site="Hall 2"), {"site": "elsewhere", "rule": "none"})
    assert (moved["site"], moved["rule"]) == ("Hall 2", "Silent")


def test_all_matchers_must_hold() -> None:
    """And the oldest silence that matches is what hides."""
    both = replace(SILENCE, matchers=(*SILENCE.matchers, Matcher("robot", "=", ("r2",))))
    assert (SILENCE.matches(FACTS), both.matches(FACTS)) == (True, False)
    maintained = replace(SILENCE, id=8, kind=SilenceKind.MAINTENANCE)
    assert silences.first([both, maintained, SILENCE], FACTS) == By("maintenance", "", Entity("silence", "8"))
    assert silences.first([both], FACTS) is None


@pytest.mark.parametrize(
    ("silence", "at", "state"),
    [
        (SILENCE, T - 1, "waiting"),
        (SILENCE, T, "active"),
        (SILENCE, T + HOUR, "ended"),
        (replace(SILENCE, ended_at=T + 1), T + 2, "ended"),
        (replace(SILENCE, recurrence=MORNINGS), T, "active"),
        (
            replace(SILENCE, recurrence=MORNINGS),
            T + HOUR // 2,
            "waiting",
        ),
        (replace(SILENCE, recurrence=Recurrence("su 09:00-09:30", "UTC")), T, "waiting"),
        (replace(SILENCE, recurrence=Recurrence("sa 22:00-10:00", "Asia/Shanghai")), T, "active"),
        (replace(SILENCE, recurrence=Recurrence("24/7", "UTC")), T, "active"),
    ],
)
def test_when_it_holds(silence: Silence, at: int, state: str) -> None:
    """From begin to end, and where it recurs, in its times of the week on its own clock."""
    assert silence.state(at) == state
    assert silence.is_active(at) == (state == "active")


def test_all_errors_at_once() -> None:
    """Every field that is wrong is named, with its value or what would do."""
    wrong = replace(
        DRAFT,
        matchers=(Matcher("", "=", ("a", "b")), Matcher("rule", "~", ("x",)), Matcher("site", "in", ("",))),  # type: ignore[arg-type]
        ends_at=T,
        comment=" ",
        recurrence=Recurrence("monday mornings", "Mars/Base"),
    )
    with pytest.raises(InvalidSilenceError) as refused:
        silences.check(wrong, T)
    assert [field for field, _ in refused.value.errors] == [
        "matchers.0.name",
        "matchers.0.values",
        "matchers.1.op",
        "matchers.2.values",
        "ends_at",
        "comment",
        "recurrence.times",
        "recurrence.tz",
    ]


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (replace(DRAFT, matchers=()), "matchers"),
        (replace(DRAFT, matchers=(*MANY, MANY[0])), "matchers: 21 given; give from 1 to 20"),
        (replace(DRAFT, matchers=(*MANY, silences.scope_of("ana"), silences.scope_of("mei"))), "21 given"),
        (replace(DRAFT, matchers=(Matcher("site", "=", (" ",)),)), "matchers.0.values"),
        (replace(DRAFT, ends_at=T + 400 * 24 * HOUR), "ends_at"),
        (replace(DRAFT, comment="x" * 501), "comment"),
    ],
)
def test_what_is_refused(draft: Draft, field: str) -> None:
    """One that would hide everything, or be forgotten."""
    with pytest.raises(InvalidSilenceError, match=field):
        silences.check(draft, T)
    silences.check(DRAFT, T)


def test_the_scope_is_not_counted() -> None:
    """As many matchers as are allowed may be of one CSM's customers."""
    silences.check(replace(DRAFT, matchers=(*MANY, silences.scope_of("ana"))), T)
