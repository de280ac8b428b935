"""Why an alert stands where it stands, and by when it wants an answer: as people read it."""

import pytest

from collector.queue import Alert, Severity, Work
from collector.ranking import Point, Standing, points
from collector.words.i18n import Words
from collector.words.standing import due, money, person, span, whys
from rules.evaluation import Entity

EN, ZH = Words("en"), Words("zh")
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_795_160_400_000


def alert(opened_ago: int = 0, reasons: tuple[Point, ...] = (), **values: object) -> Alert:
    """An alert that opened so long ago."""
    at = NOW - opened_ago
    fixed = {"value": 1.0, "threshold": 1.0, "opened_value": 1.0, "reasons": reasons}
    return Alert("Silent", Entity("robot", "r1"), Severity.CRITICAL, "network", at, at, **fixed | values)  # type: ignore[arg-type]


def test_the_reasons_are_told_the_severity_first() -> None:
    """Severity, then what weighs most: renewal, contract, the share of robots, and how long it waits."""
    given = points("critical", Standing(480_000, "CNY", 12, 3, 4))
    told = [why.text for why in whys(alert(3 * DAY, given), EN, NOW)]
    assert told == [
        "Critical",
        "renewal in 12 days",
        "contract ¥480,000",
        "3 of 4 robots",
        "waiting for 3 days",
    ]
    told = [why.text for why in whys(alert(3 * DAY, given), ZH, NOW)]
    assert told == ["紧急", "12 天后续费到期", "合同 ¥48万", "4 台中 3 台有告警", "已等待 3 天"]


def test_what_is_missed_is_told() -> None:
    """A deadline that passed is a reason; a day is not over yet is none."""
    found = whys(alert(HOUR, (Point("severity", 60, {"severity": "high"}), Point("ack_missed", 10))), EN, NOW)
    assert [why.text for why in found] == ["High", "answer overdue"]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (12, "renewal in 12 days"),
        (1, "renewal tomorrow"),
        (0, "renewal today"),
        (-3, "renewal overdue by 3 days"),
    ],
)
def test_a_renewal_comes_nearer(days: int, text: str) -> None:
    """In days, until it is due, and after."""
    [why] = whys(alert(0, (Point("renewal", 25, {"days": days}),)), EN, NOW)
    assert why.text == text


@pytest.mark.parametrize(
    ("values", "text", "late"),
    [
        ({"ack_due_at": NOW + 40 * MINUTE}, "answer within 40 min", False),
        ({"ack_due_at": NOW - 130 * MINUTE}, "answer overdue by 2 h 10 min", True),
        ({"ack_due_at": NOW, "resolve_due_at": NOW + DAY}, "answer overdue by 1 min", True),
        (
            {
                "acknowledged_at": NOW,
                "work": Work.ACKNOWLEDGED,
                "ack_due_at": NOW,
                "resolve_due_at": NOW + 50 * HOUR,
            },
            "solve within 2 d 2 h",
            False,
        ),
    ],
)
def test_the_next_deadline_is_told(values: dict[str, object], text: str, late: bool) -> None:
    """An answer until somebody took it, then the solution; late from its moment on."""
    found = due(alert(HOUR, (), **values), EN, NOW)
    assert found is not None
    assert (found.text, found.late) == (text, late)


def test_a_snoozed_alert_is_not_due() -> None:
    """Its deadlines stand still."""
    assert due(alert(HOUR, (), work=Work.SNOOZED, ack_due_at=NOW - 1), EN, NOW) is None
    assert due(alert(), EN, NOW) is None


def test_sums_are_counted_as_the_language_does() -> None:
    """Thousands apart in English, myriads in Chinese; other currencies by sign or code."""
    assert [money(480_000, "CNY", t) for t in (EN, ZH)] == ["¥480,000", "¥48万"]
    assert [money(1_285_000, None, t) for t in (EN, ZH)] == ["¥1,285,000", "¥128.5万"]
    assert [money(9_600, "USD", t) for t in (EN, ZH)] == ["$9,600", "$9,600"]
    assert money(50_000, "sgd", EN) == "50,000 SGD"


def test_a_wait_is_told_as_roughly_as_it_is_long() -> None:
    """Minutes within a day, hours within four, then days; never nothing."""
    told = [span(ms, EN) for ms in (5_000, 61 * MINUTE, 26 * HOUR + 7 * MINUTE, 5 * DAY + 3 * HOUR)]
    assert told == ["1 min", "1 h 1 min", "1 d 2 h", "5 d"]


def test_people_are_called_by_their_names() -> None:
    """The system by its own; who is gone, by what they signed in with."""
    assert person({"li": "李薇"}, "li", EN) == "李薇"
    assert person({}, "li", EN) == "li"
    assert person({}, "system", EN) == "Robovitals"
