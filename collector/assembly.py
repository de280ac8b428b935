"""A collector put together: first what lies in a data folder, then what runs on it."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent import catalogue as catalogues
from agent.catalogue import Catalogue
from collector import credentials
from collector.changes import Changes
from collector.conditions import Conditions
from collector.config import Config, ConfigError, Evaluation, tls_context
from collector.evaluation import Evaluator, settled_until
from collector.folder import Folder
from collector.http import app, server
from collector.http.services import Services
from collector.inbox import Inbox
from collector.ingest import Ingest, Parts
from collector.intake import Intake
from collector.listening import Listening
from collector.mqtt import Link
from collector.notifying import load as notifying
from collector.notifying.gathering import Gathering
from collector.notifying.settings import Settings as Telling
from collector.notifying.worker import Notifier
from collector.pipeline import Pipeline, clock
from collector.presence import Fleet
from collector.receipts import Receipts
from collector.relational import Relational
from collector.scores import loading
from collector.scores.scoring import Scoring
from collector.scores.settings import Settings as Weighting
from collector.stores import Rows, Store
from collector.stores.address import EMBEDDED, StoreAddress
from collector.stores.opening import open_store
from collector.telemetry import Telemetry
from rules import load, playbooks
from rules.playbook import Playbook
from rules.rule import RuleSet


@dataclass(frozen=True, slots=True)
class Opened:
    """A data folder in use, and the rules for it."""

    folder: Folder
    catalogue: Catalogue
    rules: RuleSet
    playbooks: Mapping[str, Playbook]
    store: Store
    relational: Relational
    eval_delay_ms: int
    scoring: Scoring
    changes: Changes = field(default_factory=Changes)
    telemetry: Telemetry = field(default_factory=Telemetry)
    conditions: Conditions = field(default_factory=Conditions)

    def evaluator(self) -> Evaluator:
        """The rules, where the last evaluation left off; `resume` brings them up to date."""
        self.relational.claim_unknown(sorted({robot for robot, _ in self.store.watermarks()}))
        self.relational.withdraw_missing(self.rules, clock())
        return Evaluator(
            self.rules, self.relational, self.changes, self.telemetry, self.conditions, self.eval_delay_ms
        )


@contextmanager
def opened(
    folder: Folder, evaluation: Evaluation, database: str | None = None, address: StoreAddress = EMBEDDED
) -> Iterator[Opened]:
    """Opens folder and databases for one process alone; without rule files, the shipped packs are used."""
    catalogue = catalogues.load(*evaluation.catalogues)
    rule_files = _rule_files(evaluation)
    rules, known = load.load(rule_files, catalogue), playbooks.known(rule_files)
    settings = _settings(evaluation, catalogue)
    folder.create()
    with (
        folder.locked(),
        closing(open_store(address, folder.path, catalogue)) as store,
        closing(Relational(database or folder.database, alone=True)) as relational,
    ):
        scoring = Scoring(store, relational, settings)
        yield Opened(folder, catalogue, rules, known, store, relational, evaluation.delay_ms, scoring)


def _rule_files(evaluation: Evaluation) -> list[Path]:
    """A folder named for its rules must have some: the shipped packs are no substitute for it."""
    for path in evaluation.rules:
        if not load.find([path]):
            raise ConfigError(f"--rules {path}: has no *.yaml; give another, or leave --rules out")
    return load.find(evaluation.rules) or load.shipped()


def _settings(evaluation: Evaluation, catalogue: Catalogue) -> Weighting:
    if evaluation.scores is None:
        return loading.shipped(catalogue)
    return loading.load(evaluation.scores, catalogue)


def run(config: Config, ready: Callable[[str, Opened], None]) -> None:
    """Runs a collector until SIGTERM or SIGINT; `ready` is told the address once it serves."""
    tls = tls_context(config.broker, config.tls)
    told = None if config.notify is None else notification_settings(config.notify)
    with (
        opened(Folder(config.data), config.evaluation, config.database, config.store) as parts,
        server.listen(config.http.host, config.http.port) as listening,
    ):
        notifier = None if told is None else _notifier(parts, told)
        evaluator = parts.evaluator()
        evaluator.resume(parts.store)
        url = config.http.bound_to(listening.getsockname()[1]).url
        token = credentials.secret()
        with parts.folder.announced(url, token):
            operator = credentials.digest(token)
            running = (parts, evaluator, notifier, listening, operator)
            asyncio.run(_run(config, tls, *running, lambda: ready(url, parts)))


def notification_settings(path: Path) -> Telling:
    """Who is notified of what. Raises `SettingsErrors`. apprise is loaded here, and only if it is needed."""
    from collector.notifying import sending

    return notifying.load(path, os.environ, sending.unusable)


def _notifier(parts: Opened, settings: Telling) -> Notifier:
    """From here on what happens is told; what happened before the first start with settings is not."""
    from collector.notifying.sending import Sender

    parts.relational.notifications.begin()
    return Notifier(
        settings,
        parts.relational,
        Gathering(parts.relational, parts.rules),
        Sender(),
        parts.conditions,
        parts.telemetry,
        clock,
        lambda: parts.changes.publish("notifications", ["outbox"]),
    )


async def _run(
    config: Config,
    tls: ssl.SSLContext | None,
    parts: Opened,
    evaluator: Evaluator,
    notifier: Notifier | None,
    listening: socket.socket,
    operator: str,
    ready: Callable[[], None],
) -> None:
    stopping = _stop_on_signals()
    fleet = _remembered(parts.store, parts.relational, parts.catalogue)
    web = app.create(_services(parts, fleet, operator))
    inbox = Inbox()
    pipeline = Pipeline(
        link=Link(config.broker, tls, config.fleet, inbox, parts.conditions, parts.telemetry, clock),
        inbox=inbox,
        ingest=_ingest(parts, evaluator, fleet, stopping.is_set),
        store=parts.store,
        retention=config.retention,
        scoring=parts.scoring,
        queue=parts.relational.queue,
        outbox=parts.relational.notifications,
        telemetry=parts.telemetry,
        conditions=parts.conditions,
        notifier=notifier,
    )
    serving = server.serve(web, parts.changes, listening)
    _tune_garbage_collection()
    ready()
    await pipeline.run(serving, stopping)


def _tune_garbage_collection() -> None:
    """A fleet's state is large and lives on: looking through it for cycles again and again is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def _services(parts: Opened, fleet: Fleet, operator: str) -> Services:
    return Services(
        relational=parts.relational,
        store=parts.store,
        rules=parts.rules,
        catalogue=parts.catalogue,
        fleet=fleet,
        changes=parts.changes,
        telemetry=parts.telemetry,
        health=parts.conditions.health,
        clock=clock,
        playbooks=parts.playbooks,
        scratch=parts.folder.path,
        scoring=parts.scoring.settings,
        operator=operator,
    )


def _ingest(parts: Opened, evaluator: Evaluator, fleet: Fleet, giving_up: Callable[[], bool]) -> Ingest:
    store = parts.store
    return Ingest(
        Parts(
            intake=Intake(parts.catalogue, store.watermarks(), store.newest()),
            fleet=fleet,
            store=store,
            relational=parts.relational,
            evaluator=evaluator,
            listening=Listening(parts.relational, evaluator, fleet),
            receipts=Receipts(),
            changes=parts.changes,
            telemetry=parts.telemetry,
            conditions=parts.conditions,
        ),
        last_commit_at=max(
            store.contents().last_at or 0, settled_until(parts.relational, parts.eval_delay_ms)
        ),
        giving_up=giving_up,
    )


def _remembered(store: Store, relational: Relational, catalogue: Catalogue) -> Fleet:
    """The fleet as the store knows it."""
    fleet = Fleet(listened=relational.listening())
    fleet.stored(Rows.of(store.newest(), catalogue))
    for robot, lost in store.losses().items():
        fleet.declared_lost(robot, lost.get("dropped", 0))
        fleet.declared_refused(robot, lost.get("refused", 0))
    return fleet


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopping.set)
    return stopping
