"""The ingest, without a broker: store, engine and queue are real, and die between any two steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from agent import wire
from collector.assembly import Opened, opened
from collector.config import Evaluation
from collector.evaluation import Evaluator, settled_until
from collector.folder import Folder
from collector.inbox import Arrived, Connected, Incoming
from collector.ingest import Ingest, Parts
from collector.intake import Intake
from collector.listening import Listening
from collector.presence import Fleet
from collector.receipts import Receipt, Receipts
from collector.relational import AlertQuery
from collector.stores import Commit, StoreError
from tests.collector.ingest.examples import NOW, hello, message

RULES: Final = """
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: quick
  interval: 30s
  rules:
  - alert: ManyDrops
    about: {en: Many drops, zh: 掉线多}
    for_each: robot
    when: {increase: network.disconnects, over: 10m, is: at least 5}
    labels: {severity: high, subsystem: network}
    summary: {en: "{robot} drops", zh: "{robot} 掉线"}
    call_to_action: {next_step: {en: Look, zh: 查看}}
  - alert: Silent
    about: {en: Silent, zh: 失联}
    for_each: robot
    when: {silent: robot, over: 5m}
    labels: {severity: high, subsystem: network}
    summary: {en: "{robot} is silent", zh: "{robot} 失联"}
    call_to_action: {next_step: {en: Look, zh: 查看}}
"""


class Collector:
    """A collector without broker and web, on a folder."""

    def __init__(self, parts: Opened) -> None:
        self.parts = parts
        self.fleet = Fleet()
        self.evaluator: Evaluator = parts.evaluator()
        self.evaluator.resume(parts.store)
        store = parts.store
        self.ingest = Ingest(
            Parts(
                intake=Intake(parts.catalogue, store.watermarks(), store.newest()),
                fleet=self.fleet,
                store=store,
                relational=parts.relational,
                evaluator=self.evaluator,
                listening=Listening(parts.relational, self.evaluator, self.fleet),
                receipts=Receipts(),
                changes=parts.changes,
                telemetry=parts.telemetry,
                conditions=parts.conditions,
            ),
            last_commit_at=max(
                store.contents().last_at or 0, settled_until(parts.relational, parts.eval_delay_ms)
            ),
            giving_up=lambda: True,
        )

    def at(self, now: int, *incoming: Incoming) -> list[Receipt]:
        """One round."""
        return self.ingest.process(incoming, now)

    def alerts(self) -> list[tuple[int, str, str, int, str, str]]:
        """What the queue holds."""
        page = self.parts.relational.alerts(AlertQuery(state="all"), limit=1000)
        return [(a.id, a.rule, a.entity.id, a.opened_at, a.signal.value, a.work.value) for a in page.items]

    def stored(self) -> list[tuple[int, list[int]]]:
        """Commit times and numbers."""
        batches = self.parts.store.batches(0, self.evaluator.roster)
        return [(batch.committed_at, batch.seq.tolist()) for batch in batches]


@contextmanager
def collector(folder: Path) -> Iterator[Collector]:
    """A collector that dies without a word at the end of the block, as far as its logic goes."""
    (folder / "rules.yaml").write_text(RULES)
    with opened(Folder(folder / "data"), Evaluation((folder / "rules.yaml",))) as parts:
        yield Collector(parts)


def arrived(text: wire.Samples | wire.Hello, at: int, robot: str = "r1") -> Arrived:
    """A message from the broker."""
    channel: wire.Channel = "hello" if isinstance(text, wire.Hello) else "samples"
    return Arrived(str(wire.Topic("test", robot, channel)), wire.encode(text), at, retained=False)


def life(step: int) -> tuple[int, list[Incoming]]:
    """What arrives in the round `step`, half a minute after the one before: faults, then silence."""
    now = NOW + 30_000 * step + 500
    if step == 0:
        return now, [Connected(now), arrived(hello(), now), arrived(hello(), now, "r2")]
    fleet = [arrived(message(step), now)] if step < 20 else []
    return now, [*fleet, arrived(message(step, step=0), now, "r2")]


def test_a_round_stores_evaluates_and_answers(tmp_path: Path) -> None:
    """Hello and samples: robots claimed, samples stored, receipts due."""
    with collector(tmp_path) as running:
        assert running.at(*_round(0)) == [Receipt("r1", "e1", 0), Receipt("r2", "e1", 0)]
        assert running.at(*_round(1)) == [Receipt("r1", "e1", 1), Receipt("r2", "e1", 1)]
        assert [robot.id for robot in running.parts.relational.robots()] == ["r1", "r2"]
        assert running.stored() == [(NOW + 30_500, [1, 1])]
        assert running.fleet.presence("r1", NOW + 30_500) == "online"


@pytest.mark.parametrize("deaths", [{5}, {8, 9, 10}, {19, 33, 34}, set(range(1, 40, 3))])
def test_restarts_change_no_alert(tmp_path: Path, deaths: set[int]) -> None:
    """However often the collector dies between rounds: the same alerts, at the same times."""

    def lived(folder: Path, deaths: set[int]) -> list[tuple[int, str, str, int, str, str]]:
        folder.mkdir()
        step = 0
        while True:
            with collector(folder) as running:
                if step:
                    running.at(life(step - 1)[0] + 1, Connected(life(step - 1)[0] + 1))
                while step < 40:
                    running.at(*_round(step))
                    step += 1
                    if step in deaths:
                        break
                else:
                    return running.alerts()

    whole, cut = lived(tmp_path / "whole", set()), lived(tmp_path / "cut", deaths)
    assert {alert[1] for alert in whole} == {"ManyDrops", "Silent"}
    assert cut == whole


def test_death_between_store_and_queue_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples committed without their evaluation are evaluated by the next process, in their own time."""
    with collector(tmp_path) as running:
        for step in range(8):
            running.at(*_round(step))
        monkeypatch.setattr(running.evaluator, "take", lambda *_: None)
        for step in range(8, 20):
            running.at(*_round(step))
        assert running.alerts() == []
    with collector(tmp_path) as again:
        (found,) = again.alerts()
        assert found[1:3] == ("ManyDrops", "r1")
        assert found[3] < NOW + 30_000 * 19


def test_nobody_is_told_of_samples_that_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store refuses, the round does not end, and health says so."""
    with collector(tmp_path) as running:
        running.at(*_round(0))

        def full(_commit: Commit) -> None:
            raise StoreError("disk full")

        monkeypatch.setattr(running.parts.store, "append", full, raising=False)
        with pytest.raises(StoreError, match="disk full"):  # it would try for ever, were it not giving up
            running.at(*_round(1))
        health = running.parts.conditions.health()
        assert not health.ok
        assert "disk full" in health.parts["store"]


def test_commit_times_rise_though_the_clock_falls(tmp_path: Path) -> None:
    """The machine's clock may be set back: order and evaluations do not suffer."""
    with collector(tmp_path) as running:
        running.at(NOW, Connected(NOW), arrived(message(1), NOW))
        running.at(NOW - 5_000, arrived(message(2), NOW - 5_000))
        assert running.stored() == [(NOW, [1]), (NOW + 1, [2])]


def test_engine_that_fails_keeps_no_sample_from_being_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the engine is shown, and the samples are stored and answered."""
    with collector(tmp_path) as running:
        running.at(*_round(0))

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(running.evaluator, "take", fail)
        assert running.at(*_round(1)) == [Receipt("r1", "e1", 1), Receipt("r2", "e1", 1)]
        assert "ZeroDivisionError" in running.parts.conditions.health().parts["engine"]


def test_unknown_metrics_are_shown(tmp_path: Path) -> None:
    """Health names what no catalogue knows, with counts."""
    text = message(1, counters=[{"arm": {"grasps": 1}}])
    with collector(tmp_path) as running:
        running.at(NOW, Connected(NOW), arrived(text, NOW))
        assert "arm.grasps (1)" in running.parts.conditions.health().parts["unknown metrics"]


@pytest.mark.parametrize("payload", [b"", b"{", b"\x78\x9c", b'{"epoch":""}', b"[]", b"null"])
def test_malformed_message_harms_no_other(tmp_path: Path, payload: bytes) -> None:
    """It is counted, and the good one beside it is stored."""
    with collector(tmp_path) as running:
        bad = [
            Arrived(f"vitals/v1/test/r1/{channel}", payload, NOW, False)
            for channel in ("hello", "status", "samples")
        ]
        running.at(NOW, Connected(NOW), *bad, arrived(message(1), NOW))
        assert running.stored() == [(NOW, [1])]
        text = running.parts.telemetry.render({}).decode()
        assert 'robovitals_messages_refused_total{reason="' in text


def _round(step: int) -> tuple[Any, ...]:
    now, incoming = life(step)
    return now, *incoming
