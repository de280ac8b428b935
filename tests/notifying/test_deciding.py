"""What is decided without a clock: who is told, when it is quiet, when to try again, when a digest is due."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.notifying import digest, retrying, routing
from collector.notifying.digest import Morning
from collector.notifying.letter import Happening, Kind, State
from collector.notifying.message import Message, Part, as_html, as_text
from collector.notifying.quiet import told_at
from collector.notifying.routing import Known
from collector.notifying.settings import DigestTime, Quiet, Route
from collector.people import Person, Role
from collector.queue import Alert, Severity, Work
from collector.subjects import Subject
from collector.words.i18n import Words
from collector.words.wording import LANGUAGES
from rules.evaluation import By, Entity
from tests.collector.evaluations import RULES
from tests.notifying.world import DAY, HOUR, MINUTE, T, settings

LI = Person("li", "Li", Role.CSM, email="li@example.com", language="zh", tz="Asia/Shanghai")
ALERT = Alert(
    rule="Silent",
    entity=Entity("robot", "r1"),
    severity=Severity.HIGH,
    subsystem="network",
    opened_at=T,
    since=T - MINUTE,
    opened_value=6.0,
    value=6.0,
    threshold=5.0,
    id=7,
)
KNOWN = Known(
    alert=ALERT,
    subject=Subject("robot", "r1", "Robot 1", "Hall A", "Museum", "Asia/Shanghai", ("r1",)),
    rule=RULES.by_name["Silent"],
    tier="strategic",
    owner=LI,
    ack_due_at=T + HOUR,
    resolve_due_at=T + DAY,
)
OPENED = Happening(3, 7, "opened", T)
GIVEN = Happening(4, 7, "assigned", T, who="mei", name="Mei", owner="li")
OWNED = replace(KNOWN, alert=replace(ALERT, owner="li"))


@pytest.mark.parametrize(
    ("route", "told"),
    [
        (Route(("ops",)), True),
        (Route(("ops",), severity=Severity.HIGH), True),
        (Route(("ops",), severity=Severity.LOW), True),
        (Route(("ops",), severity=Severity.CRITICAL), False),
        (Route(("ops",), customer=frozenset({"Bank", "Museum"})), True),
        (Route(("ops",), customer=frozenset({"Bank"})), False),
        (Route(("ops",), tier=frozenset({"strategic"})), True),
        (Route(("ops",), tier=frozenset({"key"})), False),
        (Route(("ops",), owner=frozenset({"li"})), True),
        (Route(("ops",), owner=frozenset({"wang"})), False),
        (Route(("ops",), rule=frozenset({"Silent"})), True),
        (Route(("ops",), rule=frozenset({"Burning"})), False),
        (Route(("ops",), subsystem=frozenset({"network"})), True),
        (Route(("ops",), subsystem=frozenset({"asr"})), False),
        (Route(("ops",), kinds=frozenset({Kind.OPENED})), True),
        (Route(("ops",), kinds=frozenset({Kind.ESCALATED})), False),
        (Route(("ops",), severity=Severity.HIGH, customer=frozenset({"Bank"})), False),
    ],
)
def test_a_route_matches_what_all_its_parts_match(route: Route, told: bool) -> None:
    """What a route does not name matches everything."""
    assert bool(routing.letters(OPENED, KNOWN, settings(route), T)) is told


def test_a_channel_that_several_routes_name_is_told_once() -> None:
    """All matching routes count, in their order."""
    chosen = settings(Route(("ops", "owner")), Route(("mail", "ops")))
    found = routing.letters(OPENED, KNOWN, chosen, T)
    assert [letter.key for letter in found] == [
        "alert-7/opened-3/ops",
        "alert-7/opened-3/owner:li",
        "alert-7/opened-3/mail",
    ]


@pytest.mark.parametrize(
    ("happened", "known"),
    [
        (replace(OPENED, kind="acknowledged"), KNOWN),
        (replace(OPENED, kind="closed"), KNOWN),
        (replace(OPENED, at=T - DAY - 1), KNOWN),
        (OPENED, replace(KNOWN, alert=replace(ALERT, work=Work.CLOSED))),
    ],
    ids=["done by a person", "closed by a person", "old", "over"],
)
def test_what_is_no_news_is_not_told(happened: Happening, known: Known) -> None:
    """What people did, what is long past, and what is over already."""
    assert routing.letters(happened, known, settings(Route(("ops",))), T) == []


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ((), {"opened": ["ops", "owner"], "assigned": ["owner"], "resolved": []}),
        (("assigned",), {"opened": [], "assigned": ["ops", "owner"], "resolved": []}),
        (("resolved",), {"opened": [], "assigned": [], "resolved": ["ops", "owner"]}),
    ],
    ids=["unasked", "asked", "something else asked"],
)
def test_a_chat_is_told_who_was_given_an_alert_only_where_it_asks(
    kinds: tuple[str, ...], told: dict[str, list[str]]
) -> None:
    """It knows of the alert already; whoever is given it does not."""
    chosen = settings(Route(("ops", "owner"), kinds=frozenset(map(Kind, kinds))))
    happened = (OPENED, GIVEN, replace(OPENED, kind="resolved"))
    found = {each.kind: routing.letters(each, OWNED, chosen, T) for each in happened}
    assert {kind: [letter.channel for letter in letters] for kind, letters in found.items()} == told


@pytest.mark.parametrize(
    ("happened", "known"),
    [
        (replace(GIVEN, who="li"), OWNED),
        (replace(GIVEN, owner=None), KNOWN),
        (replace(GIVEN, owner="wang"), OWNED),
        (GIVEN, replace(OWNED, alert=replace(OWNED.alert, work=Work.CLOSED))),
    ],
    ids=["taken", "given to nobody", "given on", "over"],
)
def test_only_who_has_an_alert_from_somebody_else_is_told_of_it(happened: Happening, known: Known) -> None:
    """And still has it when it would be told."""
    chosen = settings(Route(("owner", "ops"), kinds=frozenset(Kind)))
    assert routing.letters(happened, known, chosen, T) == []


@pytest.mark.parametrize(
    ("who", "name", "en", "zh"),
    [
        ("mei", "Mei", "Mei", "Mei"),
        ("import.script", None, "import.script", "import.script"),
        ("system", None, "Robovitals", "Robovitals"),
        ("command", None, "Command line", "命令行"),
    ],
)
def test_the_title_says_who_gave_it(who: str, name: str | None, en: str, zh: str) -> None:
    """So that it is still there where many messages come as one."""
    said = []
    for language in LANGUAGES:
        known = replace(OWNED, owner=replace(LI, language=language))
        happened = replace(GIVEN, who=who, name=name)
        [letter] = routing.letters(happened, known, settings(Route(("owner",))), T)
        said.append(letter.message.title)
    assert said == [
        f"[Assigned by {en}, High] Relocalization fails · Robot 1 · Hall A",
        f"【{zh} 指派 · 高】重定位异常 · Robot 1 · Hall A",
    ]


def test_what_is_suppressed_is_held() -> None:
    """Whatever suppresses it."""
    hidden = replace(ALERT, suppressed_by=By("flapping", "Silent", ALERT.entity))
    [letter] = routing.letters(OPENED, replace(KNOWN, alert=hidden), settings(Route(("ops",))), T)
    assert letter.state is State.HELD


def test_a_message_says_what_where_since_when_and_what_to_do() -> None:
    """In the reader's language, on the site's clock, with a link."""
    said = routing.message(Kind.ESCALATED, KNOWN, "https://v.example.com", Words("en"))
    assert said.title == "[Escalated, High] Relocalization fails · Robot 1 · Hall A"
    assert as_text(said).splitlines() == [
        "This was not dealt with in time.",
        "Robot 1 at Hall A: 6 faults in the period, 5 allowed, since 26 Nov 09:59",
        "Where: Museum · Hall A",
        "Since: 26 Nov 2026, 09:59 (Asia/Shanghai)",
        "Owner: Li",
        "Acknowledge by: 26 Nov 2026, 11:00 (Asia/Shanghai)",
        "Solve by: 27 Nov 2026, 10:00 (Asia/Shanghai)",
        "→ Map again",
        "",
        "https://v.example.com/alerts/7",
    ]


def test_the_owner_is_not_told_who_the_owner_is() -> None:
    """Nor by when to acknowledge what is acknowledged."""
    taken = replace(KNOWN, alert=replace(ALERT, acknowledged_at=T))
    labels = [part.label for part in routing.message(Kind.RETURNED, taken, None, Words("zh"), LI).parts]
    assert labels == ["", "", "位置：", "开始于：", "最晚解决：", ""]


def test_a_name_cannot_become_markup() -> None:
    """What comes from robots and registry is text in a mail."""
    said = Message("<b>x", (Part("text", "<script>"), Part("item", "a&b", url='h"><i>')), url="u")
    html = as_html(said)
    assert not {"<b>", "<script>", "<i>"} & {html[at : html.index(">", at) + 1] for at in _angles(html)}
    assert "&lt;script&gt;" in html


def _angles(html: str) -> list[int]:
    return [at for at, sign in enumerate(html) if sign == "<"]


@given(
    st.text(),
    st.lists(st.builds(Part, st.sampled_from(["text", "heading", "item", "fact", "step"]), st.text())),
)
def test_a_message_comes_out_of_the_outbox_as_it_went_in(title: str, parts: list[Part]) -> None:
    """Whatever it says."""
    said = Message(title, tuple(parts), "high", "u", "o")
    assert Message.of_json(said.as_json()) == said


NIGHT = Quiet(22 * 60, 7 * 60, "Asia/Shanghai", passes=Severity.CRITICAL)
WEEKEND = Quiet(0, 24 * 60, "Asia/Shanghai", days=frozenset({5, 6}))


def local(text: str, zone: str = "Asia/Shanghai") -> int:
    """Ms UTC of a local time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-26T21:59:59", "2026-11-26T21:59:59"),
        ("2026-11-26T22:00:00", "2026-11-27T07:00:00"),
        ("2026-11-27T03:00:00", "2026-11-27T07:00:00"),
        ("2026-11-27T07:00:00", "2026-11-27T07:00:00"),
        ("2026-11-27T23:00:00", "2026-11-30T07:00:00"),  # Friday night, the weekend, Sunday night
        ("2026-11-28T12:00:00", "2026-11-30T07:00:00"),
    ],
)
def test_quiet_hours_end_where_no_span_goes_on(at: str, told: str) -> None:
    """Spans that touch or overlap are one."""
    assert told_at([NIGHT, WEEKEND], "ops", Severity.HIGH, local(at)) == local(told)


def test_quiet_hours_are_for_whom_they_name() -> None:
    """What is severe enough passes, and so does what goes through other channels."""
    at = local("2026-11-27T03:00")
    assert told_at([NIGHT], "ops", Severity.CRITICAL, at) == at
    assert told_at([replace(NIGHT, channels=frozenset({"mail"}))], "ops", Severity.HIGH, at) == at


def test_always_quiet_is_not_for_ever() -> None:
    """A message that could never be told is told."""
    always = Quiet(0, 24 * 60, "UTC")
    assert told_at([always], "ops", Severity.HIGH, T) == T


@given(
    st.integers(0, 400 * DAY),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["Europe/Berlin", "UTC"]),
)
def test_what_is_told_is_told_outside_of_quiet_hours(after: int, begin: int, length: int, zone: str) -> None:
    """At whatever time it happens, also where clocks are changed; and never before it happens."""
    quiet = Quiet(begin, (begin + length) % 1440, zone, days=frozenset({0, 2, 4}))
    found = told_at([quiet], "ops", Severity.HIGH, T + after)
    assert found >= T + after
    assert told_at([quiet], "ops", Severity.HIGH, found) == found


def test_what_fails_is_tried_again_ever_less_often() -> None:
    """Twice as long each time, up to an hour; chance moves it by a fifth at most."""
    plain = [retrying.delay(attempts, 0.5) for attempts in range(1, 10)]
    assert [wait // 1_000 for wait in plain] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert (retrying.delay(1, 0.0), retrying.delay(1, 1.0)) == (24_000, 36_000)
    assert retrying.delay(10_000, 0.5) == 3_600_000


MORNING = DigestTime(8 * 60 + 30, "Asia/Shanghai", ("owner",))


@pytest.mark.parametrize(
    ("now", "day", "since"),
    [
        ("2026-11-26T08:29:59", None, None),
        ("2026-11-26T08:30:00", "2026-11-26", "2026-11-25T08:30:00"),
        ("2026-11-26T14:30:00", "2026-11-26", "2026-11-25T08:30:00"),
        ("2026-11-26T14:30:01", None, None),
        ("2026-11-28T08:30:00", None, None),
        ("2026-11-30T09:00:00", "2026-11-30", "2026-11-27T08:30:00"),  # Monday tells of the weekend
    ],
)
def test_a_digest_is_due_on_working_days_and_not_hours_late(
    now: str, day: str | None, since: str | None
) -> None:
    """It tells of what is new since the one before."""
    due = digest.slot(MORNING, local(now))
    expected = None if day is None else (date.fromisoformat(day), local(since or ""))
    assert (None if due is None else (due.day, due.since)) == expected


@given(st.integers(0, 800 * 24 * 60), st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/New_York"]))
def test_every_day_has_one_digest(minutes: int, zone: str) -> None:
    """Also where clocks are changed; two instants of a day see the same one."""
    every = DigestTime(2 * 60 + 30, zone, ("ops",), frozenset(range(7)))
    now = T + minutes * MINUTE
    due = digest.slot(every, now)
    if due is not None:
        assert due.at <= now
        again = datetime.fromtimestamp(now / 1_000, UTC) + timedelta(minutes=1)
        later = digest.slot(every, round(again.timestamp() * 1_000))
        assert later is None or later.day in (due.day, due.day + timedelta(days=1))


@pytest.mark.parametrize(("language", "text"), [("en", "No alert is open"), ("zh", "没有未关闭的告警")])
def test_a_quiet_morning_is_one_line(language: str, text: str) -> None:
    """There is nothing else to say."""
    said = digest.compose(Morning({}), None, Words("en" if language == "en" else "zh"), mine=True)
    assert len(said.parts) == 1
    assert said.parts[0].text.startswith(text)
    assert said.tone == "good"


def test_a_digest_lists_the_first_few_and_counts_the_rest() -> None:
    """Five of each list."""
    ids = range(1, 13)
    known = [replace(KNOWN, alert=replace(ALERT, id=id_)) for id_ in ids]
    found = Morning(MappingProxyType({Severity.HIGH: 12}), known[:5], 2, 12, known[:5])
    said = digest.compose(found, "https://v.example.com", Words("en"), mine=False)
    texts = [part.text for part in said.parts]
    assert said.title == "Today: 12 open alerts, 12 overdue"
    assert texts[0] == "12 open alerts (12 high); 2 new since the last summary."
    assert (texts[1], texts[-1], len(texts)) == ("12 overdue", "and 7 more", 8)
