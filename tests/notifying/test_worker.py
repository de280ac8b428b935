"""The worker over each database: everything is told, once where nothing dies, and never what is hidden."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest

from collector.notifying import routing
from collector.notifying.gathering import Gathering
from collector.notifying.letter import Kind, State
from collector.notifying.settings import Channel, DigestTime, Quiet, Route, Settings
from collector.queue import Acknowledge, Assign, Close, Reason, Severity
from collector.registry import Kind as Kinds
from collector.relational import RobotRecord
from collector.relational.notifications import NotificationQuery
from tests.collector.evaluations import RULES
from tests.notifying.world import DAY, HOUR, MINUTE, OPS, T, World, settings

MORNING = DigestTime(8 * 60 + 30, "Asia/Shanghai", ("owner",))
RESOLVED = Kind.RESOLVED
NIGHT = Quiet(22 * 60, 7 * 60, "Asia/Shanghai", passes=Severity.CRITICAL)
NIGHT_FOR_ALL = Quiet(22 * 60, 7 * 60, "Asia/Shanghai")


def states(world: World) -> list[tuple[str, State]]:
    """What lies in the outbox, the oldest first."""
    return [(row.kind, row.state) for row in reversed(world.relational.notifications.page().items)]


def test_what_happened_is_told(world: World) -> None:
    """An alert that opens reaches the channel, in the channel's language, and is marked as sent."""
    notifier = world.notifier()
    id_ = world.opens()
    world.work(notifier)
    assert world.post.keys == [f"alert-{id_}/opened-1/ops"]
    assert world.post.titles == ["【高】重定位异常 · Robot 1 · Hall A"]
    assert states(world) == [("opened", State.SENT)]


def test_nothing_is_told_twice(world: World) -> None:
    """Neither a second round nor a second start sends anything again."""
    world.opens()
    for _ in range(2):
        notifier = world.notifier()
        world.work(notifier)
        world.work(notifier, HOUR)
    assert len(world.post.sent) == 1


def test_what_was_before_is_not_told(url: str) -> None:
    """Who turns notifications on hears of what happens from then on."""
    with closing(World(url)) as world:
        world.opens("r1")
        notifier = world.notifier()
        later = world.opens("r2")
        world.work(notifier)
        assert world.post.keys == [f"alert-{later}/opened-2/ops"]


def test_old_news_is_none(world: World) -> None:
    """What happened more than a day before it is read, as after a long outage, is not told."""
    world.opens()
    world.now += DAY + 1
    world.work(world.notifier())
    assert states(world) == []


def test_an_owner_is_written_to_in_the_owners_language(world: World) -> None:
    """`owner` is the e-mail of whoever owns the alert, through the channel mail."""
    world.opens()
    world.work(world.notifier(settings(Route(("owner",)))))
    assert world.post.sent == [("alert-1/opened-1/owner:li", "li@example.com")]
    assert world.post.titles == ["【高】重定位异常 · Robot 1 · Hall A"]


def test_the_customers_csm_stands_in_for_an_owner(world: World) -> None:
    """An alert without an owner belongs to whoever looks after its customer."""
    world.change(world.opens(), owner=None)
    world.work(world.notifier(settings(Route(("owner",)))))
    assert world.post.sent == [("alert-1/opened-1/owner:li", "li@example.com")]


def test_nobody_to_write_to_is_shown(world: World) -> None:
    """Without an owner, or an address, it is given up at once, with the reason; then tried again by hand."""
    world.add_person("wang")
    world.change(world.opens("r1"), owner="wang")
    world.change(world.opens("r2", "Burning"), owner=None, customer="Nobody's")
    notifier = world.notifier(settings(Route(("owner",))))
    world.work(notifier)
    rows = world.relational.notifications.page().items
    assert [(row.state, row.error) for row in rows] == [
        (State.GIVEN_UP, "nobody owns the alert"),
        (State.GIVEN_UP, "wang has no e-mail address"),
    ]
    world.change(2, owner="li")
    world.relational.notifications.retry(rows[0].id, "admin", world.now)
    world.work(notifier)
    assert world.post.sent == [(rows[0].key, "li@example.com")]


def test_a_failure_is_shown_and_tried_again(world: World) -> None:
    """The reason stands in the outbox and on health; the next attempt comes later and clears both."""
    notifier = world.notifier()
    world.post.failing["ops"] = "connection refused"
    world.opens()
    world.work(notifier)
    [row] = world.relational.notifications.page().items
    assert (row.state, row.attempts, row.error) == (State.WAITING, 1, "connection refused")
    world.work(notifier)
    health = world.conditions.health()
    assert health.parts["notifications"] == "ops: 1 wait, connection refused"
    assert "notifications" in health.ill
    del world.post.failing["ops"]
    assert 'notifications_failed_total{channel="ops"} 1.0' in world.telemetry.render({}).decode()
    world.work(notifier, 29_000)
    assert world.post.sent == []
    world.work(notifier, 1_000)
    assert states(world) == [("opened", State.SENT)]
    world.work(notifier)
    assert world.conditions.health().ok
    assert 'notifications_sent_total{channel="ops"} 1.0' in world.telemetry.render({}).decode()


def test_after_three_days_it_is_given_up(world: World) -> None:
    """Somebody can then have it tried again by hand."""
    notifier = world.notifier()
    world.post.failing["ops"] = "gone"
    world.opens()
    for _ in range(3 * 24 + 1):
        world.work(notifier, HOUR)
    [row] = world.relational.notifications.page().items
    assert (row.state, row.error) == (State.GIVEN_UP, "gone")
    assert row.attempts > 60
    world.post.failing.clear()
    world.relational.notifications.retry(row.id, "admin", world.now)
    world.work(notifier, MINUTE)
    assert states(world) == [("opened", State.SENT)]


def test_a_dead_channel_holds_up_no_other(world: World) -> None:
    """While one hangs, the other's messages arrive, also later ones."""
    let_go, hanging = threading.Event(), threading.Event()

    class Half:
        """Hangs for ops, and works for the others."""

        def send(self, channel: Channel, notification: object, address: str | None = None) -> None:
            """One attempt."""
            if channel.name == "ops":
                hanging.set()
                assert let_go.wait(60)
            world.post.send(channel, notification, address)  # type: ignore[arg-type]

    notifier = world.notifier(settings(Route(("ops", "owner"))), Half())
    try:
        world.opens("r1")
        notifier.step()
        assert hanging.wait(30)
        world.opens("r2")
        while len(world.post.sent) < 2:
            notifier.step()
        assert [address for _, address in world.post.sent] == ["li@example.com"] * 2
        world.now += 121_000
        notifier.step()
        said = world.conditions.health().parts["notifications"]
        assert "ops: has been sending one message for 122 s" in said
    finally:
        let_go.set()
    assert notifier.wait(30)
    world.work(notifier)
    assert len(world.post.sent) == 4


def test_what_is_hidden_is_not_told_until_it_shows(world: World) -> None:
    """A suppressed alert waits; when it is revealed and still fires, it is told."""
    notifier = world.notifier()
    id_ = world.opens()
    world.hide(id_)
    world.work(notifier)
    assert (world.post.sent, states(world)) == ([], [("opened", State.HELD)])
    world.hide(id_, hidden=False)
    world.work(notifier, 10_000)
    assert states(world) == [("opened", State.SENT)]


def test_what_ends_while_hidden_is_never_told(world: World) -> None:
    """Neither that it began nor that it ended; the outbox says that it was withdrawn."""
    notifier = world.notifier(settings(Route(("ops",), kinds=frozenset(Kind))))
    id_ = world.opens()
    world.hide(id_)
    world.work(notifier)
    world.resolves(id_)
    world.work(notifier, 10_000)
    world.work(notifier, 10_000)
    assert world.post.sent == []
    assert states(world) == [("opened", State.WITHDRAWN), ("resolved", State.WITHDRAWN)]


def test_an_end_that_comes_while_hidden_is_told_where_the_beginning_was(world: World) -> None:
    """A silence over the end of an alert does not leave its readers with the beginning only."""
    notifier = world.notifier(settings(Route(("ops",), kinds=frozenset(Kind))))
    id_ = world.opens()
    world.work(notifier)
    world.change(id_, silence=1, silence_reason="silenced")
    world.resolves(id_)
    world.work(notifier, 10_000)
    world.work(notifier, 10_000)
    assert [key.split("/")[1] for key in world.post.keys] == ["opened-1", "resolved-2"]


def test_an_end_waits_until_its_beginning_is_taken_back(world: World) -> None:
    """Of an alert that was never told it is not let go for a moment, whoever is just sending."""
    outbox = world.relational.notifications
    chosen = settings(Route(("ops",), kinds=frozenset(Kind)))
    id_ = world.opens()
    world.hide(id_)
    world.work(world.notifier(chosen))
    world.resolves(id_)
    known = Gathering(world.relational, RULES).known([id_])[id_]
    letters = [
        letter for each in outbox.unread() for letter in routing.letters(each, known, chosen, world.now)
    ]
    outbox.write(letters, world.now)
    seen: list[list[State]] = []
    while outbox.settle(lambda _channel, _severity: world.now):
        seen.append([state for _, state in states(world)])
    assert seen == [[State.WITHDRAWN, State.HELD], [State.WITHDRAWN, State.WITHDRAWN]]


def test_the_end_is_told_to_those_who_know_the_beginning(world: World) -> None:
    """In that order, also where the first attempt at the beginning failed."""
    notifier = world.notifier(settings(Route(("ops",), kinds=frozenset(Kind))))
    world.post.failing["ops"] = "down"
    id_ = world.opens()
    world.work(notifier)
    world.post.failing.clear()
    world.resolves(id_)
    world.work(notifier, 10_000)
    world.work(notifier, HOUR)
    assert [key.split("/")[1] for key in world.post.keys] == ["opened-1", "resolved-2"]


def test_the_end_alone_can_be_asked_for(world: World) -> None:
    """A route of nothing but `resolved` tells of every end."""
    notifier = world.notifier(settings(Route(("ops",), kinds=frozenset({RESOLVED}))))
    world.resolves(world.opens())
    world.work(notifier)
    assert world.post.titles == ["【已恢复】重定位异常 · Robot 1 · Hall A"]


def test_who_took_an_alert_is_told_that_it_is_over(world: World) -> None:
    """It stays open until it is closed, and the message says so."""
    notifier = world.notifier(settings(Route(("mail",), kinds=frozenset({RESOLVED}))))
    id_ = world.opens()
    world.relational.queue.act(id_, Acknowledge(), "li", world.now)
    world.resolves(id_)
    world.work(notifier)
    [row] = world.relational.notifications.page().items
    assert row.message.parts[0].text.startswith("The condition no longer holds. The alert stays open")


def test_a_relapse_is_told_as_such(world: World) -> None:
    """And not as a new alert beside."""
    notifier = world.notifier()
    first = world.opens()
    world.work(notifier)
    world.relational.queue.act(first, Close(Reason.FIXED_REMOTELY), "li", world.now)
    world.signals.states.clear()
    again = world.opens()
    world.work(notifier)
    assert [key.split("-")[:3] for key in world.post.keys] == [
        ["alert", f"{first}/opened", "1/ops"],
        ["alert", f"{again}/relapsed", "4/ops"],
    ]
    assert world.post.titles[-1] == "【复发 · 高】重定位异常 · Robot 1 · Hall A"


def test_who_is_given_an_alert_is_told(world: World) -> None:
    """By whom; not who takes it, and not a chat that did not ask."""
    world.add_person("wang", email="wang@example.com")
    notifier = world.notifier(settings(Route(("ops", "owner"))))
    id_ = world.opens()
    world.work(notifier)
    world.relational.queue.act(id_, Assign("wang"), "li", world.now)
    world.work(notifier)
    assert world.post.sent[2:] == [("alert-1/assigned-2/owner:wang", "wang@example.com")]
    assert world.post.titles[2] == "[Assigned by Li, High] Relocalization fails · Robot 1 · Hall A"
    world.relational.queue.act(id_, Assign("li"), "li", world.now)
    world.work(notifier)
    assert len(world.post.sent) == 3


def test_a_new_csm_is_told_of_what_is_open(world: World) -> None:
    """Many come as one; who has left gets nothing, and who gets the rest is told."""
    world.add_person("wang", email="wang@example.com")
    world.relational.import_robots([RobotRecord(f"r{n}", customer="Museum") for n in range(10, 21)])
    notifier = world.notifier(settings(Route(("owner",), kinds=frozenset({Kind.ASSIGNED}))))
    ids = [world.opens(f"r{number}") for number in range(10, 21)]
    world.relational.registry.edit(Kinds.CUSTOMER, "Museum", {"csm": "wang"}, "li", world.now)
    world.work(notifier)
    world.work(notifier)
    assert world.post.sent == [("bundle/1-11/owner:wang", "wang@example.com")]
    world.relational.queue.act(ids[0], Assign("li"), "wang", world.now)
    li = world.relational.accounts.person("li")
    assert li is not None
    world.relational.accounts.change(replace(li, active=False), "adam", world.now)
    world.work(notifier)
    assert world.post.titles[1:] == ["[Assigned by adam, High] Relocalization fails · r10"]


def test_who_is_given_what_is_hidden_is_told_once_it_shows(world: World) -> None:
    """If it is still that person's then."""
    world.add_person("wang", email="wang@example.com")
    notifier = world.notifier(settings(Route(("owner",), kinds=frozenset({Kind.ASSIGNED}))))
    kept, passed_on = world.opens("r1"), world.opens("r2")
    for id_ in (kept, passed_on):
        world.hide(id_)
        world.relational.queue.act(id_, Assign("wang"), "li", world.now)
    world.work(notifier)
    assert states(world) == [("assigned", State.HELD)] * 2
    world.relational.queue.act(passed_on, Assign(None), "li", world.now)
    for id_ in (kept, passed_on):
        world.hide(id_, hidden=False)
    world.work(notifier, 10_000)
    world.work(notifier, 10_000)
    assert states(world) == [("assigned", State.SENT), ("assigned", State.WITHDRAWN)]


def test_what_is_given_on_at_night_is_told_to_whom_it_is_in_the_morning(world: World) -> None:
    """And to nobody who had it in between."""
    world.add_person("wang", email="wang@example.com")
    notifier = world.notifier(settings(Route(("owner",), kinds=frozenset({Kind.ASSIGNED})), quiet=[NIGHT]))
    world.now = T + 14 * HOUR
    id_ = world.opens()
    for by, owner in (("li", "wang"), ("wang", "li")):
        world.relational.queue.act(id_, Assign(owner), by, world.now)
        world.work(notifier, MINUTE)
    world.work(notifier, 8 * HOUR)
    assert world.post.sent == [("alert-1/assigned-3/owner:li", "li@example.com")]


def test_who_was_given_an_alert_is_told_of_its_end(world: World) -> None:
    """As those who were told of its beginning."""
    world.add_person("wang", email="wang@example.com")
    notifier = world.notifier(settings(Route(("owner",)), Route(("owner",), kinds=frozenset({RESOLVED}))))
    id_ = world.opens()
    world.work(notifier)
    world.relational.queue.act(id_, Assign("wang"), "li", world.now)
    world.work(notifier)
    world.resolves(id_)
    world.work(notifier)
    assert world.post.keys[2:] == [f"alert-{id_}/resolved-3/owner:wang"]


def test_a_silence_holds_back_as_any_other_suppression(world: World) -> None:
    """Until it is over."""
    notifier = world.notifier()
    id_ = world.opens()
    world.change(id_, silence=1, silence_reason="silenced")
    world.work(notifier)
    assert states(world) == [("opened", State.HELD)]
    world.change(id_, silence=None, silence_reason=None)
    world.work(notifier, 10_000)
    assert states(world) == [("opened", State.SENT)]


def test_in_quiet_hours_only_what_is_critical_is_told(world: World) -> None:
    """The rest comes at their end, save what is over by then."""
    notifier = world.notifier(settings(Route(("ops",)), quiet=[NIGHT]))
    world.now = T + 14 * HOUR  # midnight in Shanghai
    world.opens("r1", "Silent")
    over = world.opens("r2", "Silent")
    world.opens("r2", "Burning")
    world.work(notifier)
    assert world.post.titles == ["【紧急】重定位异常 · Robot 2 · Hall A"]
    world.resolves(over, "r2")
    world.work(notifier, 7 * HOUR)
    assert [key.split("/")[0] for key in world.post.keys] == ["alert-3", "alert-1"]


def test_in_quiet_hours_nothing_is_tried_again(world: World) -> None:
    """What failed in the evening comes in the morning; what passes, and the digest, at night too."""
    evening = DigestTime(21 * 60 + 59, "Asia/Shanghai", ("owner",))
    notifier = world.notifier(settings(Route(("ops",)), quiet=[NIGHT], digest=evening))
    world.now = T + 12 * HOUR - 10_000  # 21:59:50 in Shanghai
    world.post.failing |= {"ops": "down", "mail": "down"}
    world.opens("r1", "Silent")
    world.opens("r2", "Burning")
    world.work(notifier)
    world.work(notifier, 31_000)
    rows = world.relational.notifications.page().items
    assert {row.kind: row.attempts for row in rows if row.kind == "digest"} == {"digest": 2}
    world.post.failing.clear()
    world.work(notifier, HOUR)
    world.work(notifier, HOUR)
    assert sorted(key.split("/")[0] for key in world.post.keys) == ["alert-2", "digest"]
    world.work(notifier, 7 * HOUR)
    assert world.post.keys[-1].split("/")[0] == "alert-1"


def test_many_that_came_as_one_are_not_tried_again_in_quiet_hours(world: World) -> None:
    """As long as nothing among them passes."""
    notifier = world.notifier(settings(Route(("ops",)), quiet=[NIGHT]))
    world.now = T + 12 * HOUR - 20_000
    world.post.failing["ops"] = "down"
    for number in range(10, 21):
        world.opens(f"r{number}")
    world.work(notifier)
    world.post.failing.clear()
    world.work(notifier, HOUR)
    assert world.post.sent == []
    world.work(notifier, 9 * HOUR)
    assert world.post.keys == ["bundle/1-11/ops"]


def test_what_is_revealed_at_night_waits_for_the_morning(world: World) -> None:
    """Quiet hours hold for what was hidden, too."""
    notifier = world.notifier(settings(Route(("ops",)), quiet=[NIGHT]))
    id_ = world.opens()
    world.hide(id_)
    world.work(notifier)
    world.hide(id_, hidden=False)
    world.work(notifier, 14 * HOUR)
    assert world.post.sent == []
    world.work(notifier, 7 * HOUR)
    assert len(world.post.sent) == 1


def test_the_digest_comes_once_a_day_though_the_collector_restarts(world: World) -> None:
    """Every start finds that this day's was written; the next working day's comes."""
    world.opens()
    chosen = settings(digest=MORNING)
    world.now = T - 2 * HOUR  # 08:00
    world.work(world.notifier(chosen))
    assert world.post.sent == []
    for _ in range(3):
        world.work(world.notifier(chosen), 30 * MINUTE)
    assert world.post.sent == [("digest/2026-11-26/owner:li", "li@example.com")]
    assert world.post.titles == ["今日：1 条未关闭告警，新增 1 条"]
    world.now = T + DAY
    world.work(world.notifier(chosen))
    world.now = T + 2 * DAY  # Saturday
    world.work(world.notifier(chosen))
    assert world.post.keys[1:] == ["digest/2026-11-27/owner:li"]


def test_a_digest_says_what_matters_and_no_more(world: World) -> None:
    """Overdue first, then what to do first, contracts that end soon, and what ended by itself."""
    late = world.opens("r1", "Silent", ack_due_at=T - HOUR)
    world.opens("r2", "Burning", priority=50.0)
    ended = world.opens("r2", "Silent")
    world.resolves(ended, "r2")
    hidden = world.opens("r1", "Relocalization")
    world.hide(hidden)
    world.work(world.notifier(settings(digest=MORNING)))
    [row] = [row for row in world.relational.notifications.page().items if row.kind == "digest"]
    lines = [part.text for part in row.message.parts]
    place = "Robot 1 · Hall A · Museum"
    assert row.message.title == "今日：2 条未关闭告警，1 条超时"
    assert lines == [
        "2 条未关闭告警（紧急 1，高 1）；自上次摘要以来新增 2 条。",
        "1 条超时",
        f"高：重定位异常 · {place}",
        "请先处理",
        f"紧急：重定位异常 · {place.replace('1', '2')}",
        "即将到期的合同",
        "Museum：还有 20 天到期 · 120,000 CNY",
        "1 条自动恢复",
        f"高：重定位异常 · {place.replace('1', '2')}",
    ]
    assert row.message.parts[2].url == f"https://vitals.example.com/alerts/{late}"


def test_a_deadline_that_was_met_is_not_overdue(world: World) -> None:
    """Somebody acknowledged the alert in time."""
    id_ = world.opens(ack_due_at=T - HOUR)
    world.relational.queue.act(id_, Acknowledge(), "li", world.now)
    world.work(world.notifier(settings(digest=MORNING)))
    assert world.post.titles == ["今日：1 条未关闭告警，新增 1 条"]


def test_many_at_once_come_as_one(world: World) -> None:
    """To a reader who would get more than ten; the end of each is told as ever, others are not concerned."""
    chosen = settings(Route(("ops",), kinds=frozenset(Kind)), Route(("owner",), rule=frozenset({"Burning"})))
    notifier = world.notifier(chosen)
    first = world.opens("r1", "Burning")
    for number in range(10, 20):
        world.opens(f"r{number}")
    world.work(notifier)
    world.work(notifier)
    assert sorted(world.post.keys) == [f"alert-{first}/opened-1/owner:li", "bundle/1-12/ops"]
    assert "11 条告警" in world.post.titles
    [row] = [row for row in world.relational.notifications.page().items if row.kind == "bundle"]
    texts = [part.text for part in row.message.parts]
    assert (len(texts), texts[1]) == (12, "【紧急】重定位异常 · Robot 1 · Hall A")
    assert [state for kind, state in states(world) if kind == "opened"].count(State.BUNDLED) == 11
    world.resolves(first, "r1", "Burning")
    world.work(notifier)
    assert world.post.keys[-1] == f"alert-{first}/resolved-12/ops"


def test_ten_at_once_come_one_by_one(world: World) -> None:
    """They are few enough to be read."""
    notifier = world.notifier()
    for number in range(10, 20):
        world.opens(f"r{number}")
    world.work(notifier)
    assert len(world.post.sent) == 10


def test_what_is_long_over_is_cleared_away(world: World) -> None:
    """After 400 days; what was given up stays."""
    notifier = world.notifier(settings(Route(("ops", "owner"))))
    world.opens("r1")
    world.add_person("wang")
    world.change(world.opens("r2"), owner="wang")
    world.work(notifier)
    assert len(states(world)) == 4
    world.work(notifier, 401 * DAY)
    assert states(world) == [("opened", State.GIVEN_UP)]
    assert world.relational.notifications.unread() == []


def test_a_channel_that_was_removed_is_said_so(world: World) -> None:
    """What still waits for it is given up, with the reason."""
    world.post.failing["ops"] = "down"
    world.opens()
    world.work(world.notifier())
    without = settings()
    world.work(world.notifier(type(without)({"mail": without.channels["mail"]})), HOUR)
    [row] = world.relational.notifications.page().items
    assert (row.state, row.error) == (State.GIVEN_UP, 'the settings have no channel "ops" any more')


def test_a_database_that_is_away_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` shows it, and goes on; nothing ends."""
    notifier = world.notifier()
    calls = iter([RuntimeError("gone"), None])

    def fails() -> None:
        error = next(calls, None)
        if error is not None:
            raise error
        notifier.stop()

    monkeypatch.setattr(notifier, "step", fails)
    monkeypatch.setattr("collector.notifying.worker.ROUND_S", 0.01)
    notifier.run()
    assert "gone" in world.conditions.health().parts["notifications"]


def test_without_mail_letters_to_owners_are_given_up_and_the_others_arrive(world: World) -> None:
    """Many to one without a language, one to another: the settings have lost `mail` meanwhile."""
    world.add_person("wang", email="wang@example.com")
    evening = settings(Route(("owner",)), Route(("ops",), rule=frozenset({"Burning"})), quiet=[NIGHT_FOR_ALL])
    world.now = T + 14 * HOUR
    for number in range(10, 21):
        world.change(world.opens(f"r{number}"), owner="wang")
    world.opens("r1", "Burning")
    world.work(world.notifier(evening))
    assert world.post.sent == []
    world.work(world.notifier(Settings({"ops": OPS}, console="https://vitals.example.com")), 7 * HOUR)
    assert [key.split("/")[-1] for key in world.post.keys] == ["ops"]
    rows = world.relational.notifications.page(NotificationQuery(state=State.GIVEN_UP)).items
    assert [(row.kind, row.person, row.error) for row in rows] == [
        ("bundle", "wang", 'the settings have no channel "mail" any more'),
        ("opened", "li", 'the settings have no channel "mail" any more'),
    ]
