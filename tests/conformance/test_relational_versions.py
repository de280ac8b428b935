"""Databases of other versions, and what is no database of ours at all."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect, text, update

from collector.notifying.letter import Happening
from collector.people import Person, Role
from collector.queue import Acknowledge, Assign, Kind
from collector.relational import AlertQuery, Relational, RobotRecord, UnusableDatabaseError
from collector.relational.database import Database
from collector.relational.schema import VERSION, metadata, schema_version
from collector.silences import Draft, Matcher, SilenceKind
from rules.evaluation import By, Entity, Suppression
from rules.lifecycle import State
from tests.collector.evaluations import RULES, Signals, evaluation

OLD = tuple(Path(__file__).with_name(f"relational_v{version}.sql") for version in (1, 2, 3))
T = 1_800_000_000_000


def made_by(dump: Path, folder: Path) -> str:
    """A database that an older version made."""
    raw = sqlite3.connect(folder / "collector.sqlite")
    raw.executescript(dump.read_text())
    raw.close()
    return f"sqlite:///{folder / 'collector.sqlite'}"


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A database that the first version made."""
    return made_by(OLD[0], tmp_path)


def test_the_first_versions_database_goes_on(old: str) -> None:
    """Roster, alerts, history, signals and listening are there, and the roster's changes are counted."""
    relational = Relational(old)
    assert relational.roster().ids == ("r1", "r2")
    assert relational.robot("r1") == RobotRecord("r1", name="小明", customer="ACME", extra={"floor": 3.0})
    alerts = relational.alerts(AlertQuery(state="all")).items
    assert [(alert.id, alert.entity.id, alert.work.value) for alert in alerts] == [
        (2, "r2", "new"),
        (1, "r1", "acknowledged"),
    ]
    assert [entry.kind for entry in relational.history(1)] == [Kind.OPENED, Kind.ACKNOWLEDGED]
    assert {signal.state for signal in relational.snapshot().signals.values()} == {State.FIRING}
    assert relational.snapshot().watermarks == {"health": T}
    assert relational.listening() == [(T - 5, T)]
    revision = relational.roster_revision()
    relational.import_robots([RobotRecord("r3")])
    assert relational.roster_revision() > revision
    assert relational.roster().ids == ("r1", "r2", "r3")
    relational.close()


def test_an_index_that_has_no_use_any_more_is_gone(url: str) -> None:
    """The indexes of a database of schema 4 become those that a new one has."""
    Relational(url).close()
    raw = Database(url)
    with raw.writing() as connection:
        connection.execute(text("DROP INDEX shown_by_order"))
        connection.execute(text("CREATE INDEX shown_order ON alerts (priority DESC, id)"))
        connection.execute(update(schema_version).values(version=4))
    Relational(url).close()
    with raw.reading() as connection:
        found = {index["name"] for index in inspect(connection).get_indexes("alerts")}
    raw.close()
    assert found == {index.name for index in metadata.tables["alerts"].indexes}


@pytest.mark.parametrize("dump", OLD[:2], ids=lambda dump: dump.stem)
def test_alerts_of_an_older_database_can_be_suppressed(dump: Path, tmp_path: Path) -> None:
    """Its alerts are not, until an evaluation says so; the log begins empty."""
    relational = Relational(made_by(dump, tmp_path))
    assert {alert.suppressed_by for alert in relational.alerts(AlertQuery(state="all")).items} == {None}
    assert (list(relational.alert_log()), relational.snapshot().suppressed) == ([], {})
    _suppress_r1(relational)
    relational.close()


def test_alerts_before_people_had_owners_go_on(tmp_path: Path) -> None:
    """Alerts, what suppresses them and the alert log of schema 3 are there, and take new work."""
    relational = Relational(made_by(OLD[2], tmp_path))
    taken, hidden = relational.alerts().items
    assert (taken.acknowledged_by, hidden.suppressed_by) == (
        "mei",
        By("inhibited", "Burning", Entity("robot", "r1")),
    )
    assert len(list(relational.alert_log())) == 3
    assert relational.queue.act(hidden.id, Acknowledge(), "mei", T + 120_000).acknowledged_by == "mei"
    relational.close()


def test_alerts_of_an_older_server_can_be_suppressed(url: str) -> None:
    """A database without what schema 3 brought gets it, wherever it is; what was counted stays."""
    Relational(url).close()
    raw = Database(url)
    with raw.writing() as connection:
        for table in ("turns", "suppressed", "alert_log"):
            connection.execute(text(f"DROP TABLE {table}"))
        for index in [index.name for index in metadata.tables["alerts"].indexes]:
            connection.execute(text(f"DROP INDEX {index}"))
        for part in ("reason", "rule", "kind", "entity"):
            connection.execute(text(f"ALTER TABLE alerts DROP COLUMN suppressed_{part}"))
        connection.execute(update(schema_version).values(version=2))
    raw.close()
    relational = Relational(url)
    relational.import_robots([RobotRecord("r1")])
    assert relational.roster_revision() == 1
    relational.commit(Signals().fires(T, "Silent", "r1"), RULES)
    _suppress_r1(relational)
    relational.close()


def test_what_happened_before_it_was_said_by_whom_is_read(url: str) -> None:
    """Schema 4 had no names beside what happened: those are unknown, those of what happens now are there."""
    with closing(Relational(url)) as relational:
        relational.import_robots([RobotRecord("r1")])
        relational.accounts.add(Person("mei", "Mei", Role.CSM), None, "system", T)
        [id_] = relational.commit(Signals().fires(T, "Silent", "r1"), RULES)
    with closing(Database(url)) as raw, raw.writing() as connection:
        for column in ("who", "owner"):
            connection.execute(text(f"ALTER TABLE happenings DROP COLUMN {column}"))
        connection.execute(update(schema_version).values(version=4))
    with closing(Relational(url)) as relational:
        relational.queue.act(id_, Assign("mei"), "mei", T + 1)
        assert relational.notifications.unread() == [
            Happening(1, id_, "opened", T),
            Happening(2, id_, "assigned", T + 1, "mei", "Mei", "mei"),
        ]


def test_silences_of_an_older_server_can_be_changed(url: str) -> None:
    """Those that were made before changes were counted go on, as never changed."""
    draft = Draft(SilenceKind.SILENCE, (Matcher("site", "=", ("Hall 2",)),), T, T + 60_000, "moving")
    relational = Relational(url)
    made = relational.silences.add(draft, "mei", T).silence
    relational.close()
    raw = Database(url)
    with raw.writing() as connection:
        for column in ("revision", "changed_at", "changed_by"):
            connection.execute(text(f"ALTER TABLE silences DROP COLUMN {column}"))
        connection.execute(update(schema_version).values(version=4))
    raw.close()
    relational = Relational(url)
    assert relational.silences.one(made.id) == made
    assert relational.silences.change(made.id, draft, "ana", T + 1, revision=0).silence.revision == 1
    relational.close()


def _suppress_r1(relational: Relational) -> None:
    by = By("inhibited", "Burning", Entity("robot", "r1"))
    change = Suppression(T + 60_001, "Silent", Entity("robot", "r1"), by)
    [id_] = relational.commit(replace(evaluation(T + 60_001), suppressions=(change,)), RULES)
    assert [alert.id for alert in relational.alerts(AlertQuery(suppressed=True)).items] == [id_]
    assert len(list(relational.alert_log())) >= 1


def test_it_is_brought_up_to_date_once(old: str) -> None:
    """What was counted since stays when it is opened again."""
    for number in range(3):
        relational = Relational(old)
        relational.import_robots([RobotRecord(f"new{number}")])
        assert relational.roster_revision() == number + 1
        relational.close()


def test_a_newer_database_is_refused(url: str) -> None:
    """One line says so; an older collector changes nothing in it."""
    raw = Database(url)
    with raw.writing() as connection:
        connection.execute(update(schema_version).values(version=VERSION + 1))
    for _ in range(2):
        with pytest.raises(
            UnusableDatabaseError, match=f"has schema {VERSION + 1}.*start a newer"
        ) as refused:
            Relational(url)
        assert "\n" not in str(refused.value)
    raw.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", "no database URL"),
        ("postgresql://me:secret2/x", "no database URL"),
        ("sqlite:////no/such/folder/x.sqlite", "unable to open"),
        ("mysql://me:secret@h/x", "neither SQLite nor PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_opened(url: str, message: str) -> None:
    """One line says which, and why, and repeats no password."""
    with pytest.raises(UnusableDatabaseError, match=message) as refused:
        Relational(url)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is refused, not overwritten."""
    path = tmp_path / "collector.sqlite"
    path.write_bytes(b"these are somebody's notes, not a database" * 100)
    with pytest.raises(UnusableDatabaseError, match="not a database"):
        Relational(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are")
