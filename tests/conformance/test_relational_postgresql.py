"""What only a server does: it goes away, comes back, refuses, and has other clients."""

import contextlib
import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from collector.queue import Acknowledge
from collector.relational import ImportResult, Relational, RobotRecord, UnusableDatabaseError
from collector.relational import alerts as rows
from collector.relational.database import Database
from rules.engine import Evaluation
from tests.collector.evaluations import RULES, Signals
from tests.postgres import PASSWORD, Postgres

T = 1_800_000_000_000

# -- it ends, and is started again


@pytest.mark.parametrize("end", [Postgres.kill, Postgres.stop], ids=["killed", "stopped"])
def test_the_server_ends_and_comes_back(own_postgres: Postgres, end: Callable[[Postgres], None]) -> None:
    """Meanwhile every call fails; after it the same collector goes on, with all that was committed."""
    relational, signals = Relational(own_postgres.url(), alone=True), Signals()
    relational.import_robots([RobotRecord("r1")])
    [first] = relational.commit(signals.fires(T, "Silent", "r1"), RULES)
    end(own_postgres)
    late = signals.fires(T + 1, "Silent", "r2")
    for call in (relational.robots, lambda: relational.commit(late, RULES)):
        with pytest.raises(OperationalError):
            call()
    own_postgres.start()
    [second] = relational.commit(late, RULES)
    assert {alert.id for alert in relational.alerts().items} == {first, second}
    assert relational.snapshot().watermarks == {"health": T + 1}
    assert relational.roster().ids == ("r1",)
    relational.close()


def test_killed_within_a_transaction(own_postgres: Postgres) -> None:
    """Nothing of the transaction is there afterwards; the same evaluation then comes about, once."""
    relational, signals = Relational(own_postgres.url(), alone=True), Signals()
    [id_] = relational.commit(signals.fires(T, "Silent", "r1"), RULES)
    raw = Database(own_postgres.url())

    def interrupted() -> None:
        with raw.writing() as connection:
            known = rows.one(connection, id_)
            assert known is not None
            rows.report(connection, [(id_, relational.history(id_)[0])])
            own_postgres.kill()

    with pytest.raises(OperationalError):
        interrupted()
    own_postgres.start()
    assert len(relational.history(id_)) == 1
    with raw.writing() as connection:
        rows.report(connection, [(id_, relational.history(id_)[0])])
    assert len(relational.history(id_)) == 2
    raw.close()
    relational.close()


def attempts(relational: Relational, evaluation: Evaluation) -> int:
    """Commits as the collector does, until it works; answers how often it tried."""
    for number in itertools.count(1):
        with contextlib.suppress(OperationalError):
            relational.commit(evaluation, RULES)
            return number
        time.sleep(0.02)
    raise AssertionError


def test_killed_while_evaluations_are_written(own_postgres: Postgres) -> None:
    """Killed again and again, and tried again until it works: nothing twice, nothing missing."""
    relational, signals = Relational(own_postgres.url(), alone=True), Signals()
    evaluations = [signals.fires(T + number, "Silent", f"r{number}") for number in range(300)]
    over = threading.Event()

    def kill_and_start() -> None:
        for pause in (0.05, 0.2, 0.4):
            over.wait(pause)
            own_postgres.kill()
            own_postgres.start()

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    failures = sum(attempts(relational, evaluation) - 1 for evaluation in evaluations)
    over.set()
    killer.join()
    assert failures
    alerts = relational.alerts(limit=1_000).items
    assert [alert.entity.id for alert in alerts] == [f"r{number}" for number in range(300)]
    assert all(len(relational.history(alert.id)) == 1 for alert in alerts[::30])
    relational.close()


# -- the answer is lost


class Relay:
    """Between client and server; once `cutting`, what is asked for still arrives, but no answer comes."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cutting = threading.Event()

    def serve(self) -> None:
        """Until it is closed."""
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Takes no more clients."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _relay(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        back = threading.Thread(target=self._answers, args=(server, client), daemon=True)
        back.start()
        while asked := _received(client):
            if self.cutting.is_set() and b"COMMIT\0" in asked:
                self.cutting.clear()
                client.shutdown(socket.SHUT_RDWR)  # before the server can answer
                server.sendall(asked)
                back.join()
                break
            server.sendall(asked)
        server.close()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        while answer := _received(server):
            try:
                client.sendall(answer)
            except OSError:
                server.shutdown(socket.SHUT_RDWR)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except OSError:
        return b""


@pytest.fixture
def relay(postgres: Postgres) -> Iterator[Relay]:
    """A relay before the server."""
    relay = Relay(postgres.port)
    thread = threading.Thread(target=relay.serve)
    thread.start()
    yield relay
    relay.close()
    thread.join()


def test_committed_but_the_answer_is_lost(postgres: Postgres, relay: Relay) -> None:
    """Whatever a collector repeats because it heard nothing comes about once."""
    name = postgres.new_database()
    relational = Relational(postgres.url(name, port=relay.port), alone=True)
    watching = Relational(postgres.url(name))
    fires = Signals().fires(T, "Silent", "r1")
    calls: list[tuple[Callable[[], object], object]] = [  # and what a repetition answers
        (lambda: relational.commit(fires, RULES), []),
        (lambda: relational.claim_unknown(["r1"]), []),
        (lambda: relational.start_listening(T), 1),
        (lambda: relational.heard_until(1, T + 5), None),
        (lambda: relational.import_robots([RobotRecord("r2")]), ImportResult(0, 0, 1)),
    ]
    for call, answer in calls:
        relay.cutting.set()
        with pytest.raises(OperationalError):
            call()
        assert call() == answer
    [alert] = watching.alerts().items
    assert len(watching.history(alert.id)) == 1
    assert watching.listening() == [(T, T + 5)]
    assert watching.roster().ids == ("r1", "r2")
    assert watching.roster_revision() == 2
    relational.close()
    watching.close()


# -- one collector for one database


_HOLD = """
import sys
from collector.relational import Relational
relational = Relational(sys.argv[1], alone=True)
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database alone."""
    command = [sys.executable, "-c", _HOLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_collector_is_refused(postgres: Postgres) -> None:
    """It is told which process has the database; whoever does not evaluate may come in."""
    url = postgres.url(postgres.new_database())
    with holding(url) as process:
        with pytest.raises(
            UnusableDatabaseError, match=f"in use by .*pid {process.pid}.* stop that"
        ) as error:
            Relational(url, alone=True)
        assert "\n" not in str(error.value)
        with closing(Relational(url)) as importing:
            assert importing.import_robots([RobotRecord("r1")]).added == 1


def test_a_killed_collector_leaves_the_database_free(postgres: Postgres) -> None:
    """The next one comes in."""
    url = postgres.url(postgres.new_database())
    with holding(url) as process:
        process.kill()
        process.wait()
        with closing(Relational(url, alone=True)) as next_one:
            assert next_one.listening() == []


def test_two_fleets_on_one_server(postgres: Postgres) -> None:
    """Each has a database, or a schema of its own in one; they do not meet."""
    name = postgres.new_database()
    postgres.query("CREATE SCHEMA second", name)
    urls = [
        postgres.url(name),
        f"{postgres.url(name)}?options=-csearch_path%3Dsecond",
        postgres.url(postgres.new_database()),
    ]
    fleets = [Relational(url, alone=True) for url in urls]
    for number, fleet in enumerate(fleets):
        fleet.claim_unknown([f"r{number}"])
    assert [fleet.roster().ids for fleet in fleets] == [("r0",), ("r1",), ("r2",)]
    for fleet in fleets:
        fleet.close()


def test_whoever_lost_the_database_writes_no_more(own_postgres: Postgres) -> None:
    """A restart of the server lets another in first: the old collector cannot write until that one ends."""
    url, signals = own_postgres.url(), Signals()
    old = Relational(url, alone=True)
    old.commit(signals.fires(T, "Silent", "r1"), RULES)
    own_postgres.stop()
    own_postgres.start()
    late = signals.fires(T + 1, "Silent", "r2")
    with holding(url) as new:
        with pytest.raises(OperationalError, match=f"is in use by .*pid {new.pid}"):
            old.commit(late, RULES)
        assert old.snapshot().watermarks == {"health": T}
        new.kill()
        new.wait()
        assert len(old.commit(late, RULES)) == 1
    old.close()


def test_people_act_beside_evaluations(postgres: Postgres) -> None:
    """The threads of one collector share its one connection for writing, and wait for each other."""
    relational = Relational(postgres.url(postgres.new_database()), alone=True)
    ids = relational.commit(Signals().fires(T, "Silent", *(f"r{n}" for n in range(20))), RULES)
    threads = [
        threading.Thread(target=relational.queue.act, args=(id_, Acknowledge(), "mei", T)) for id_ in ids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {alert.acknowledged_by for alert in relational.alerts().items} == {"mei"}
    relational.close()


# -- it refuses


def refusal(url: str) -> str:
    """What somebody is told who cannot open that."""
    with pytest.raises(UnusableDatabaseError) as refused:
        Relational(url, alone=True)
    said = str(refused.value)
    assert "\n" not in said
    assert PASSWORD not in said
    assert "sesame" not in said
    return said


def test_no_server(postgres: Postgres) -> None:
    """The message has the address, and where to read on."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    said = refusal(postgres.url("vitals", port=port))
    assert f"vitals:***@127.0.0.1:{port}/vitals: " in said
    assert "onnection refused" in said
    assert "docs/operating.md" in said


def test_no_such_database(postgres: Postgres) -> None:
    """The message has its name."""
    assert 'database "nowhere" does not exist' in refusal(postgres.url("nowhere"))


def test_wrong_password(postgres: Postgres) -> None:
    """The message has the user, and no password, not even in the query."""
    wrong = postgres.url().replace("sesame", "poppyseed")
    assert 'authentication failed for user "vitals"' in refusal(wrong)
    assert "poppyseed" not in refusal(wrong)
    elsewhere = f"postgresql://vitals@127.0.0.1:{postgres.port}/postgres?password=poppyseed"
    assert "poppyseed" not in refusal(elsewhere)


def test_no_right_to_make_tables(postgres: Postgres) -> None:
    """The message says which right is missing."""
    name = postgres.new_database()
    postgres.query("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    said = refusal(f"postgresql://guest:guest@127.0.0.1:{postgres.port}/{name}")
    assert "permission denied for schema public" in said


def test_an_encoding_that_lacks_characters(postgres: Postgres) -> None:
    """It is refused before somebody's name cannot be written."""
    name = postgres.new_database("ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    said = refusal(postgres.url(name))
    assert "its encoding is LATIN1" in said
    assert "createdb --encoding=UTF8" in said
