"""A small fleet with a past: two days of samples in a real store, and alerts in every subsystem."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import structs

from agent import wire
from agent.catalogue import load as load_catalogue
from collector.changes import Changes
from collector.conditions import Conditions
from collector.http.services import Services
from collector.http.views.plots import Rolling, rolling
from collector.people import Person, Role
from collector.presence import Fleet
from collector.queue import Acknowledge, Close, Reason, Snooze
from collector.relational import Lifecycle, Relational, RobotRecord, schema
from collector.stores import Commit, Loss, Rows, StoredSample, Watermark
from collector.stores.duckdb import DuckStore
from collector.telemetry import Telemetry
from rules.evaluation import Entity, Evaluation, Event, Evidence, Reading
from rules.lifecycle import State
from rules.load import load, shipped
from rules.rule import Compare, Leaf, Rule, leaves

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SAMPLE_MS: Final = 10 * MINUTE
PAST_MS: Final = 4 * DAY
NOW: Final = 1_795_160_400_000  # Friday, 20 November 2026, 15:00 in Shanghai
TZ: Final = "Asia/Shanghai"

CUSTOMERS: Final = (
    ("江城银行", "中山路支行", "bank", "reception", 3),
    ("Riverside Museum", "East wing", "exhibition_hall", "guided_tour", 4),
    ("星夜 KTV", "人民广场店", "ktv", "delivery", 4),
    ("云溪景区", "南门游客中心", "scenic_area", "promotion", 3),
    ("Harbour Conference Centre", "Hall B", "meeting_centre", "check_in", 3),
    ("明德医院", "门诊楼", "hospital", "leading_the_way", 3),
)
STANDING: Final = (  # tier, CSM, amount of the contract, days to its end
    ("strategic", "csm-li", 1_280_000.0, 84),
    ("key", "csm-li", 480_000.0, 12),
    ("standard", "csm-li", 96_000.0, 230),
    ("key", "csm-costa", 350_000.0, 41),
    ("standard", "csm-costa", 120_000.0, 160),
    ("long_tail", None, 40_000.0, 300),
)
PEOPLE: Final = (
    Person("csm-li", "李薇", Role.CSM, tz="Asia/Shanghai"),
    Person("csm-costa", "Ana Costa", Role.CSM, tz="Asia/Shanghai"),
)
NAMES: Final = ("小莫", "Echo", "阿诺", "Nova", "豆豆", "Pixel", "小鹿", "Orbit", "米米", "Juno")
RATES: Final[Mapping[str, float]] = {  # how often in a busy hour
    "network.connect_attempts": 0.3, "network.rx_bytes": 4e5, "network.tx_bytes": 9e4,
    "vision.face_attempts": 60, "vision.faces_unrecognized": 4, "vision.face_errors": 0.6,
    "touchscreen.touches": 30, "touchscreen.touches_unanswered": 0.5, "touchscreen.wrong_commands": 0.1,
    "navigation.goals": 12, "navigation.start_failures": 0.1, "navigation.interruptions": 0.4,
    "navigation.distance_m": 300, "asr.utterances": 80, "asr.unrecognized": 5, "asr.misrecognized": 2,
    "nlp.queries": 70, "nlp.unhandled": 4, "nlp.mishandled": 1, "tts.utterances": 90, "tts.unplayed": 0.3,
    "engagement.visitors": 150, "engagement.recruits": 60, "engagement.wakeups": 45,
    "engagement.interactions": 34, "engagement.ratings": 10, "engagement.satisfied_ratings": 9,
    "engagement.tours": 2, "engagement.check_ins": 3, "engagement.escorts": 2, "engagement.deliveries": 4,
    "agent.samples_taken": 120,
}  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """A rule that fires on a robot since some time ago, and the rates that make it so."""

    rule: str
    robot: int
    ago: int
    rates: Mapping[str, float] = field(default_factory=dict)


TROUBLES: Final = (
    Trouble("NetworkUnstable", 0, 3 * HOUR, {"network.disconnects": 4, "network.offline_seconds": 160}),
    Trouble("FacesNotRecognized", 4, 4 * HOUR, {"vision.faces_unrecognized": 33}),
    Trouble("TouchUnanswered", 8, 2 * HOUR, {"touchscreen.touches_unanswered": 14}),
    Trouble("RelocalizationFailing", 5, 5 * HOUR, {"navigation.relocalization_faults": 4}),
    Trouble("LidarFailing", 13, 25 * HOUR, {"navigation.lidar_faults": 3}),
    Trouble("SpeechNotRecognized", 10, 4 * HOUR, {"asr.unrecognized": 39}),
    Trouble("QueriesNotHandled", 10, 4 * HOUR, {"nlp.unhandled": 33}),
    Trouble("SpeechNotPlayed", 16, 50 * MINUTE, {"tts.unplayed": 28}),
    Trouble("LowConversion", 18, 3 * DAY, {"engagement.interactions": 21}),
    Trouble("RobotSilent", 11, 95 * MINUTE),
    Trouble("VisionModuleDown", 2, 40 * MINUTE),
    Trouble("BatteryLow", 7, 30 * MINUTE),
    Trouble("Overheating", 9, 6 * HOUR),
)
SILENT: Final = 11
LATE: Final = 15
LOSSY: Final = 6  # its disk was full, twice; some of its samples came late or with a wrong clock
DOUBLE: Final = 12  # two robots report under its name
DOWN: Final = {2: "vision"}


@dataclass
class World:
    """The parts of a collector with everything in them, and what makes new things happen."""

    services: Services
    robots: tuple[str, ...]
    now: int
    conditions: Conditions
    _groups: Iterator[int]

    def fires(self, rule: str, robot: int, ago: int = 0) -> int:
        """A rule begins to fire on a robot; answers the alert's id, after pages were told."""
        [id_] = self._commit(rule, robot, State.INACTIVE, State.FIRING, ago)
        self._measured(rule, robot)
        return id_

    def resolves(self, rule: str, robot: int, ago: int = 0) -> None:
        """The condition of a firing rule no longer holds."""
        self._commit(rule, robot, State.FIRING, State.RESOLVED, ago)

    def _measured(self, name: str, robot: int) -> None:
        """The rule still fires: what it measures now."""
        rule, at = self.services.rules.by_name[name], self.services.clock()
        found = evidence(self.services, rule, self.robots[robot], at)
        entity = Entity("robot", self.robots[robot])
        reading = Reading(at, name, entity, State.FIRING, at, found[0].value, found[0].thresholds[0], found)
        self._take(Evaluation(at, self._group(rule), (), (reading,), ()))

    def _commit(self, name: str, robot: int, before: State, after: State, ago: int) -> list[int]:
        rule = self.services.rules.by_name[name]
        at = self.services.clock() - ago
        found = evidence(self.services, rule, self.robots[robot], at)
        first = found[0]
        event = Event(at, name, Entity("robot", self.robots[robot]), before, after, at - rule.for_ms,
                      first.value, first.thresholds[0], found)  # fmt: skip
        return self._take(Evaluation(at, self._group(rule), (event,), (), ()))

    def _take(self, evaluation: Evaluation) -> list[int]:
        ids = self.services.relational.commit(evaluation, self.services.rules)
        self.services.changes.publish("alerts", ids)
        return ids

    def _group(self, rule: Rule) -> str:
        """A group of its own for every evaluation, so that they can be told in any order."""
        return f"{rule.group}-{next(self._groups)}"


def seed(folder: Path) -> None:
    """Writes the fleet and its past into a folder."""
    records = roster()
    world = opened(folder)
    world.robots = tuple(record.id for record in records)
    world.services.relational.import_robots(records)
    _registered(world)
    for number, record in enumerate(records):
        _live(world.services, number, record)
    _trouble(world)
    close(world)


def opened(folder: Path, first_group: int = 0) -> World:
    """The parts of a collector over what is in a folder; in an empty one, nobody was ever heard."""
    catalogue, conditions = load_catalogue(), Conditions()
    services = Services(
        relational=Relational(f"sqlite:///{folder / 'collector.sqlite'}"),
        store=DuckStore(folder / "samples.duckdb", catalogue),
        rules=load(shipped(), catalogue),
        catalogue=catalogue,
        fleet=Fleet(),
        changes=Changes(),
        telemetry=Telemetry(),
        health=conditions.health,
        clock=lambda: NOW,
    )
    robots = tuple(record.id for record in services.relational.robots())
    _connected(services, robots)
    return World(services, robots, NOW, conditions, itertools.count(first_group))


def close(world: World) -> None:
    """Everything in its final place on disk."""
    world.services.store.close()
    world.services.relational.close()


def roster() -> list[RobotRecord]:
    """Twenty robots of six customers, and one that nobody registered."""
    records: list[RobotRecord] = []
    for customer, site, industry, scene, count in CUSTOMERS:
        for _ in range(count):
            number = len(records)
            name = f"{NAMES[number % len(NAMES)]} {number + 1:02d}"
            records.append(_record(number, name, (customer, site, industry, scene)))
    return [*records, RobotRecord("RV-9917", Lifecycle.UNCLAIMED)]


def _record(number: int, name: str, work: tuple[str, str, str, str]) -> RobotRecord:
    id_ = f"RV-{number + 1:04d}"
    return RobotRecord(id_, Lifecycle.LIVE, name, *work, "Guide 3", TZ, "2026-03-14")


def evidence(services: Services, rule: Rule, robot: str, at: int) -> tuple[Evidence, ...]:
    """What the rule measures on the robot at that time, by the stored samples."""
    return tuple(_evidence(services, leaf, robot, at) for leaf in leaves(rule.when))


def _evidence(services: Services, leaf: Leaf, robot: str, at: int) -> Evidence:
    if not isinstance(leaf, Compare):
        silence = leaf.over_ms / 1_000
        return Evidence(
            str(leaf), leaf.metrics, silence * 1.6, "at least", (silence,), leaf.over_ms, "s", True
        )
    measure = leaf.measure
    step = min(measure.over_ms, SAMPLE_MS)
    series = services.store.series(robot, measure.metrics, at - measure.over_ms, at, step)
    rolled = rolling(measure, series.values, step) if isinstance(measure, Rolling) else []
    known = [value for value in rolled if value is not None]
    held = leaf.comparison
    value = known[-1] if known else held.threshold
    return Evidence(
        str(measure),
        measure.metrics,
        value,
        held.operator,
        held.thresholds,
        measure.over_ms,
        measure.unit,
        True,
    )


def _registered(world: World) -> None:
    """Two CSMs, one of them without the last two customers; contracts near and far from renewal."""
    accounts = world.services.relational.accounts
    for person in PEOPLE:
        accounts.add(person, None, "test", world.now)
    with world.services.relational._database.writing() as connection:
        for (name, *_), (tier, csm, amount, days) in zip(CUSTOMERS, STANDING, strict=True):
            values = {"id": name, "tier": tier, "csm": csm, "region": "华东", "revision": 0}
            connection.execute(schema.customers.insert().values(values))
            ends_on = datetime.fromtimestamp(world.now / 1_000, UTC).date() + timedelta(days=days)
            contract = {
                "id": f"C-{name}",
                "customer": name,
                "begins_on": str(ends_on - timedelta(days=365)),
                "ends_on": str(ends_on),
                "amount": amount,
                "currency": "CNY",
                "renewed": None,
                "revision": 0,
            }
            connection.execute(schema.contracts.insert().values(contract))


def _live(services: Services, number: int, record: RobotRecord) -> None:
    """One robot's past, as samples in the store."""
    heard_at = NOW - {SILENT: 95 * MINUTE, LATE: 2 * MINUTE}.get(number, 20_000)
    samples = list(_samples(number, record.id, heard_at))
    mark = {(record.id, "e1"): Watermark(len(samples))}
    losses = _losses(record.id) if number == LOSSY else ()
    came = [_delayed(sample) for sample in samples] if number == LOSSY else samples
    services.store.append(Commit(heard_at, Rows.of(came, services.catalogue), losses, mark))


def _losses(robot: str) -> tuple[Loss, ...]:
    """Given up on two days, and one refused."""
    return (
        Loss(robot, "e1", 3, 14, 12, "dropped", NOW - 3 * DAY),
        Loss(robot, "e1", 15, 20, 6, "dropped", NOW - 3 * DAY + 40 * MINUTE),
        Loss(robot, "e1", 130, 400, 212, "dropped", NOW - 26 * HOUR),
        Loss(robot, "e1", 410, 410, 1, "refused", NOW - 5 * HOUR),
    )


def _delayed(sample: StoredSample) -> StoredSample:
    """A night offline, and an hour with a clock that nobody had set."""
    back = NOW - 8 * HOUR
    if back - 9 * HOUR < sample.t < back:
        return replace(sample, received_at=back)
    return replace(sample, corrected=sample.t > NOW - HOUR)


def _connected(services: Services, robots: Sequence[str]) -> None:
    """The robots as they are now: connected, all but one, and some with a history of loss."""
    fleet = services.fleet
    fleet.listening(NOW - PAST_MS)
    for sample in services.store.newest():
        at = sample.received_at
        labels = {"model": "Guide 3", "firmware": "5.2.1"}
        hello = wire.Hello(session=1, boot="b", epoch="e1", agent="0.1.0", interval_s=30, tz=TZ,
                           labels=labels, first=1, next=sample.seq + 1, at=at)  # fmt: skip
        if sample.robot == robots[DOUBLE]:
            _doubled(fleet, sample.robot, hello)
        fleet.hello(sample.robot, hello, at)
        fleet.stored(Rows.of([sample], services.catalogue))
        if sample.robot == robots[SILENT]:
            fleet.status(sample.robot, wire.Status(online=False, session=1, at=at), at)
        if sample.robot == robots[LOSSY]:
            fleet.declared_lost(sample.robot, 230)
            fleet.holding(sample.robot, 380, at)


def _doubled(fleet: Fleet, robot: str, hello: wire.Hello) -> None:
    """Another robot with the same spool connects, over and over, whenever this one has."""
    for turn in range(1, 9):
        boot = "b" if turn % 2 == 0 else "other"
        at = hello.at - (10 - turn) * MINUTE
        fleet.hello(robot, structs.replace(hello, boot=boot, session=turn), at)


def _samples(number: int, robot: str, until: int) -> Iterator[StoredSample]:
    chance = random.Random(number)  # the same fleet in every run
    totals = dict.fromkeys(RATES, 0.0)
    start = until - PAST_MS
    for seq, at in enumerate(range(start, until + 1, SAMPLE_MS), 1):
        busy = _busy(at)
        for metric, rate in _rates(number, at, until).items():
            share = 1.0 if metric == "agent.samples_taken" else busy
            totals[metric] = totals.get(metric, 0.0) + rate / 6 * share * chance.uniform(0.6, 1.4)
        counters = {metric: math.floor(total) for metric, total in totals.items()}
        yield StoredSample(robot, "e1", seq, at, at, at, at - start, "b", True, False, counters,
                           _gauges(number, seq, busy, chance))  # fmt: skip


def _rates(number: int, at: int, until: int) -> dict[str, float]:
    rates = dict(RATES)
    for trouble in TROUBLES:
        if trouble.robot == number and at > until - trouble.ago - 3 * HOUR:
            rates.update(trouble.rates)
    return rates


def _busy(at: int) -> float:
    hour = (at / HOUR + 8) % 24
    return max(0.1, math.sin((hour - 6) / 17 * math.pi)) if 6 < hour < 23 else 0.1


def _gauges(number: int, seq: int, busy: float, chance: random.Random) -> dict[str, float]:
    modules = ("network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts", "engagement")
    up = {f"{name}.up": 0.0 if DOWN.get(number) == name else 1.0 for name in modules}
    warm = 44 if number == 9 else 0
    return up | {
        "network.rtt_ms": 24 + chance.uniform(-6, 14), "network.signal_dbm": -57 + chance.uniform(-6, 6),
        "system.uptime_s": seq * 600.0, "system.cpu_percent": 18 + 40 * busy,
        "system.memory_percent": 52 + 6 * busy,
        "system.disk_free_bytes": 21e9 - seq * 1e6, "system.temperature_c": 38 + warm + 12 * busy,
        "system.battery_percent": 14.0 if number == 7 else 92 - 38 * busy, "agent.outbox_depth": 1.0,
    }  # fmt: skip


def _trouble(world: World) -> None:
    """Alerts of every kind, in every state that people and signals can bring them to."""
    for trouble in sorted(TROUBLES, key=lambda trouble: -trouble.ago):
        world.fires(trouble.rule, trouble.robot, trouble.ago)
    _past(world)
    relational, now = world.services.relational, world.now
    ids = {alert.rule: alert.id for alert in relational.alerts().items}
    relational.queue.act(ids["LidarFailing"], Acknowledge("已联系现场更换雷达"), "csm-li", now - 22 * HOUR)
    relational.queue.act(ids["LowConversion"], Acknowledge(), "csm-costa", now - 3 * HOUR)
    snooze = Snooze(now + 20 * HOUR, "Customer mops the floor today; look again tomorrow")
    relational.queue.act(ids["TouchUnanswered"], snooze, "csm-costa", now - HOUR)
    relational.queue.act(ids["Overheating"], Acknowledge(), "csm-li", now - 5 * HOUR)
    world.resolves("Overheating", 9, 2 * HOUR)


def _past(world: World) -> None:
    """Alerts that are over: one fixed by a person, others gone by themselves."""
    relational, now = world.services.relational, world.now
    for rule, robot, ago in (
        ("WrongTouchCommands", 5, 44),
        ("NetworkUnstable", 5, 30),
        ("DiskNearlyFull", 13, 40),
    ):
        id_ = world.fires(rule, robot, ago * HOUR)
        if rule == "DiskNearlyFull":
            world.resolves(rule, robot, (ago - 4) * HOUR)
            continue
        relational.queue.act(id_, Acknowledge(), "csm-li", now - (ago - 1) * HOUR)
        close = Close(Reason.FIXED_REMOTELY, "重启路由器后恢复" if robot == 5 else None)
        relational.queue.act(id_, close, "csm-li", now - (ago - 3) * HOUR)
        world.resolves(rule, robot, (ago - 4) * HOUR)
