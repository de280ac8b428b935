"""How fast the queue answers with very many open alerts: over HTTP, and what a commit takes beside it.

    python bench/queue.py [--alerts 100000] [--customers 10000] [--postgresql URL]

A registered fleet: ten robots and a contract a customer, a hundred customers a CSM. The web is a process
of its own, on loopback. One client asks, signed in by a token of the API or, for pages, by a session.
At last evaluations are committed: each a hundred events, half of them new alerts, half ends of others.

Hold: 200 ms for the queue's first page, of 20 nineteen. PostgreSQL's URL must be of an empty database.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from sqlalchemy import insert

from agent.catalogue import load
from collector import credentials, queue
from collector.changes import Changes
from collector.conditions import Health
from collector.http import server
from collector.http.app import create
from collector.http.services import Services
from collector.http.signed import COOKIE
from collector.people import Person, Role, Sees
from collector.presence import Fleet
from collector.relational import Relational, RobotRecord
from collector.relational import alerts as rows
from collector.relational.database import Database
from collector.relational.opening import Cases
from collector.relational.schema import contracts, customers, sites
from collector.stores.duckdb import DuckStore
from collector.telemetry import Telemetry
from rules.evaluation import Entity, Evaluation, Event, Evidence
from rules.lifecycle import State
from rules.rule import CallToAction, Compare, Comparison, Group, Increase, Rule, RuleSet, Severity, Text

HOLD_MS: Final = 200
ROBOTS: Final = 10  # of a customer
OWNED: Final = 100  # customers of a CSM
PORTION: Final = 5_000  # alerts that open in one transaction, while the database is filled
EVENTS: Final = 100  # of an evaluation
DAY_MS: Final = 86_400_000
METRIC: Final = "navigation.relocalization_faults"
LEVELS: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low")
SUBSYSTEMS: Final = ("network", "vision", "navigation", "asr")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if the hold is missed."""
    given = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        url = given.postgresql or f"sqlite:///{Path(folder) / 'queue.sqlite'}"
        begun = time.perf_counter()
        bench = Bench(url, given.alerts, given.customers)
        signed_in = bench.fill()
        kind = "PostgreSQL" if given.postgresql else "SQLite"
        print(f"{given.alerts:,} open alerts of {given.customers:,} customers in {kind}, {_load()}")
        print(f"filled in {time.perf_counter() - begun:.0f} s\n")
        print(f"{'':44}{'p50':>8}{'p95':>8}{'max':>8}  ms")
        with serving(url, Path(folder)) as port:
            held = ask_all(port, signed_in, given.requests)
        bench.commits(given.commits)
        bench.close()
    return 0 if held else 1


def rule(number: int) -> Rule:
    """One of several rules, of every severity and subsystem."""
    return Rule(
        name=f"Rule{number}",
        group="health",
        interval_ms=60_000,
        about=Text("Relocalization fails", "重定位异常"),
        summary=Text("{robot} at {site}: {value}", "{site} 的 {robot}：{value}"),
        when=Compare(Increase((METRIC,), 6 * 3_600_000), Comparison("at least", 5)),
        missing_data="keep_last_state",
        severity=LEVELS[number % len(LEVELS)],
        subsystem=SUBSYSTEMS[number % len(SUBSYSTEMS)],
        call_to_action=CallToAction(None, None, 2 * 3_600_000, 24 * 3_600_000),
    )


RULES: Final = RuleSet((Group("health", 60_000, tuple(rule(number) for number in range(12))),))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token and a session of one who sees everything, and a session of one who sees own customers."""

    token: str
    everything: str
    own: str


class Bench:
    """The database under the queue."""

    def __init__(self, url: str, alerts: int, customers: int) -> None:
        self._url, self._alerts, self._customers = url, alerts, customers
        self._relational = Relational(url)
        self._random = np.random.default_rng(5)
        self._now = time.time_ns() // 1_000_000
        self._at = self._now - 30 * DAY_MS
        self._next = 0  # the alert that opens next, as a number
        self._open: list[int] = []

    def close(self) -> None:
        """Gives the database back."""
        self._relational.close()

    def fill(self) -> SignedIn:
        """Registers everybody and opens the alerts."""
        accounts = self._relational.accounts
        for number in range(max(2, self._customers // OWNED)):
            role, sees = (Role.ADMIN, Sees.ALL) if number == 0 else (Role.CSM, Sees.OWN)
            person = Person(f"csm{number}", f"CSM {number}", role, sees, tz="Asia/Shanghai")
            accounts.add(person, None, "bench", self._now)
        self._register()
        span = max(1, 20 * DAY_MS // max(1, self._alerts // PORTION))
        with closing(Database(self._url)) as raw:
            while self._next < self._alerts:
                self._at += span
                self._fill_in(raw, min(PORTION, self._alerts - self._next))
        self._relational.queue.rerank(self._now)
        given = SignedIn(credentials.api_token(), credentials.secret(), credentials.secret())
        accounts.add_token("api", credentials.digest(given.token), "csm0", "bench", "csm0", self._now, None)
        for id_, secret in (("csm0", given.everything), ("csm1", given.own)):
            accounts.open_session(credentials.digest(secret), id_, self._now, "password", "bench")
        return given

    def _fill_in(self, raw: Database, count: int) -> None:
        """Opens alerts as a commit does, but for the engine's own rows, and ranks them later."""
        events = [self._event(self._next + number) for number in range(count)]
        with raw.writing() as connection:
            cases = Cases(connection, events)
            steps = [queue.opened(each, RULES.by_name[each.rule], cases.case(each)) for each in events]
            ids = rows.add(connection, [step.alert for step in steps])
            trail = ((id_, entry) for id_, step in zip(ids, steps, strict=True) for entry in step.entries)
            rows.report(connection, trail)
        self._open += range(self._next, self._next + count)
        self._next += count

    def _register(self) -> None:
        named = [f"customer {number}" for number in range(self._customers)]
        ends = [
            time.strftime("%Y-%m-%d", time.gmtime(self._now / 1_000 + 86_400 * (n % 400))) for n in range(400)
        ]
        with closing(Database(self._url)) as raw, raw.writing() as connection:
            registered = [
                {"id": name, "tier": "key", "csm": f"csm{n // OWNED}", "revision": 1}
                for n, name in enumerate(named)
            ]
            connection.execute(insert(customers), registered)
            stand = [
                {"id": f"site {n}", "customer": name, "tz": "Asia/Shanghai", "revision": 1}
                for n, name in enumerate(named)
            ]
            connection.execute(insert(sites), stand)
            agreed = [
                {
                    "id": f"contract {n}",
                    "customer": name,
                    "begins_on": "2024-01-01",
                    "ends_on": ends[n % len(ends)],
                    "amount": 1_000.0 * (n * 7_919 % 2_000),
                    "currency": "CNY",
                    "revision": 1,
                }
                for n, name in enumerate(named)
            ]
            connection.execute(insert(contracts), agreed)
        self._relational.import_robots([self._robot(number) for number in range(self._customers * ROBOTS)])

    def _robot(self, number: int) -> RobotRecord:
        of = number // ROBOTS
        return RobotRecord(
            f"r{number:06}",
            name=f"Robot {number}",
            customer=f"customer {of}",
            site=f"site {of}",
            industry="hotel",
            tz="Asia/Shanghai",
        )

    def _event(self, number: int, *, ends: bool = False) -> Event:
        """The alerts of a robot are of one rule after the other."""
        robots = self._customers * ROBOTS
        robot, name = number * 7_919 % robots, f"Rule{(number + number // robots) % len(RULES.rules)}"
        after, before = (State.RESOLVED, State.FIRING) if ends else (State.FIRING, State.INACTIVE)
        evidence = Evidence(METRIC, (METRIC,), 6.0, "at least", (5.0,), 21_600_000, "faults", True)
        entity = Entity("robot", f"r{robot:06}")
        return Event(self._at, name, entity, before, after, self._at - 60_000, 6.0, 5.0, (evidence,))

    def _commit(self, opening: int, ending: int, span: int) -> float:
        """Commits an evaluation; answers how long it took, in s."""
        self._at += span
        begun = [self._event(self._next + number) for number in range(opening)]
        chosen = [self._open.pop(int(self._random.integers(len(self._open)))) for _ in range(ending)]
        ended = [self._event(number, ends=True) for number in chosen]
        self._open += range(self._next, self._next + opening)
        self._next += opening
        evaluation = Evaluation(self._at, "health", (*begun, *ended), (), ())
        start = time.perf_counter()
        self._relational.commit(evaluation, RULES)
        return time.perf_counter() - start

    def commits(self, times: int) -> None:
        """Evaluations of a hundred events each, and a look at what time brings."""
        half = min(EVENTS // 2, len(self._open))
        told("a commit of 100 events", [self._commit(half, half, 1_000) for _ in range(times)])
        while self._relational.queue.advance(self._now):
            pass
        quiet = [timed(lambda: self._relational.queue.advance(self._now)) for _ in range(times)]
        told("a look at what is due, when nothing is", quiet)


# --- asking -----------------------------------------------------------------------------------------------


def ask_all(port: int, signed_in: SignedIn, times: int) -> bool:
    """Asks for everything that a person or a script asks for; whether the first pages hold."""
    api = Client(port, {"Authorization": f"Bearer {signed_in.token}"})
    first = api.get("/api/v1/alerts?limit=100")
    ids = [item["id"] for item in first["items"]]
    after = first["next"]
    lists = {
        "first page, API": "/api/v1/alerts?limit=100",
        "second page, API": f"/api/v1/alerts?limit=100&after={after}",
        "first page of one's own, API": "/api/v1/alerts?limit=100&owner=me",
        "first page of low ones, API": "/api/v1/alerts?limit=100&severity=low",
        "overdue ones, API": "/api/v1/alerts?limit=100&overdue=true",
        "text, API": "/api/v1/alerts?limit=100&text=customer%20777",
        "counts, API": "/api/v1/queue/counts",
        "groups by customer, API": "/api/v1/queue/groups?by=customer&limit=50",
        "one alert, API": f"/api/v1/alerts/{ids[0]}",
    }
    held = True
    for name, path in lists.items():
        p95 = told(name, [timed(partial(api.get, path)) for _ in range(times)])
        held = held and (name != "first page, API" or p95 <= HOLD_MS)
    noted = f"/api/v1/alerts/{ids[0]}/note"
    acts = [timed(partial(api.post, noted, {"text": f"note {number}"})) for number in range(times)]
    told("a note on an alert, API", acts)
    pages = {
        "first page, HTML": (signed_in.everything, "/"),
        "first page of one's own, HTML": (signed_in.everything, "/?whose=mine"),
        "first page of a few customers, HTML": (signed_in.own, "/"),
        "text, HTML": (signed_in.everything, "/?q=customer%20777"),
    }
    for name, (secret, path) in pages.items():
        page = Client(port, {"Cookie": f"{COOKIE}={secret}"})
        p95 = told(name, [timed(partial(page.get, path, plain=True)) for _ in range(times)])
        held = held and (name.startswith("text") or p95 <= HOLD_MS)
    return held


class Client:
    """One connection to the web that is kept open."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = headers

    def get(self, path: str, *, plain: bool = False) -> Any:
        """The answer to a GET, as JSON."""
        self._connection.request("GET", path, headers=self._headers)
        return self._answer(path, plain)

    def post(self, path: str, body: object) -> Any:
        """The answer to a POST."""
        headers = {**self._headers, "Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        return self._answer(path, False)

    def _answer(self, path: str, plain: bool) -> Any:
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {body[:300]!r}")
        return body if plain else json.loads(body)


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in s."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def told(name: str, seconds: list[float]) -> float:
    """Prints a line of figures; answers the 95th percentile in ms."""
    p50, p95, most = (float(np.percentile(seconds, share)) * 1_000 for share in (50, 95, 100))
    print(f"{name:44}{p50:8.1f}{p95:8.1f}{most:8.1f}", flush=True)
    return p95


# --- the web ----------------------------------------------------------------------------------------------


@contextmanager
def serving(url: str, folder: Path) -> Iterator[int]:
    """The console and the API over the database, in a process of their own; answers the port."""
    ours, theirs = multiprocessing.Pipe()
    web = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, folder, theirs), daemon=True)
    web.start()
    try:
        yield ours.recv()
    finally:
        assert web.pid is not None
        os.kill(web.pid, signal.SIGTERM)
        web.join()


def _serve(url: str, folder: Path, told: Connection) -> None:
    catalogue = load()
    services = Services(
        relational=Relational(url),
        store=DuckStore(folder / "samples.duckdb", catalogue),
        rules=RULES,
        catalogue=catalogue,
        fleet=Fleet(),
        changes=Changes(),
        telemetry=Telemetry(),
        health=lambda: Health(True),
        clock=lambda: time.time_ns() // 1_000_000,
        scratch=folder,
    )
    listening = server.listen("127.0.0.1", 0)
    told.send(listening.getsockname()[1])
    asyncio.run(server.serve(create(services), services.changes, listening))


@dataclass(frozen=True, slots=True)
class _Given:
    alerts: int
    customers: int
    requests: int
    commits: int
    postgresql: str | None


def _arguments(argv: Sequence[str] | None) -> _Given:
    parser = argparse.ArgumentParser(description="How fast the queue answers with very many open alerts.")
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=60, help="how often each thing is asked for")
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database instead of a SQLite file")
    return _Given(**vars(parser.parse_args(argv)))


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
