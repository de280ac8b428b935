"""InfluxDB: what we ask of it in its own language, and what we make of its answers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.stores import StoreError
from collector.stores.address import StoreAddressError, parse_store
from collector.stores.influxdb import flux
from collector.stores.server import Wanted
from tests.conformance.stores import ROSTER, T0, Home, Sender, sample
from tests.influxdouble import TOKEN, InfluxDouble, serving


@pytest.fixture
def double() -> InfluxDouble:
    """The server's state."""
    return InfluxDouble()


@pytest.fixture
def home(double: InfluxDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A store on it."""
    monkeypatch.setenv("INFLUXDB_TOKEN", TOKEN)
    with serving(double) as url:
        yield Home(parse_store(url), tmp_path / "data")


def test_flux_asks_for_series_by_field_robot_and_time() -> None:
    """Filters that the storage answers itself; the whole time of a point as an integer."""
    wanted = Wanted(["seq", "network.rtt_ms"], 5, 7, ["r-1", "r2"])
    assert flux('buck"et', "a1b2", wanted) == (
        'from(bucket: "buck\\"et")\n'
        "  |> range(start: time(v: 5000000), stop: time(v: 8000000))\n"
        '  |> filter(fn: (r) => r._measurement == "vitals" and r.ledger == "a1b2"'
        " and r._field =~ /^(seq|network\\.rtt_ms)$/ and r.robot =~ /^(r\\-1|r2)$/)\n"
        "  |> map(fn: (r) => ({r with stamp: int(v: r._time)}))\n"
        '  |> keep(columns: ["_field", "_value", "boot", "epoch", "robot", "stamp"])'
    )


def test_points_lie_within_the_millisecond_of_their_sample(home: Home, double: InfluxDouble) -> None:
    """Others who read the bucket find a sample at its event time."""
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1, t=T0 + 7), sample(2, t=T0 + 7))
    times = {stamp for points in double.points.values() for stamp in points}
    assert len(times) == 2
    assert {stamp // 1_000_000 for stamp in times} == {T0 + 7}


def test_a_commit_is_settled_when_it_is_answered(home: Home) -> None:
    """Nothing is kept back for sending again: the answer comes after the write-ahead log is on disk."""
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1))
        with closing(sqlite3.connect(home.folder / "influxdb.ledger")) as ledger:
            assert ledger.execute("SELECT count(*) FROM unsettled").fetchone() == (0,)


def test_a_refusal_is_one_line_with_the_servers_reason(home: Home, double: InfluxDouble) -> None:
    """Its message, not its headers; nothing counts as stored."""
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1))
        double.points = {key: {0: 1} if key[1] == "network.rtt_ms" else p for key, p in double.points.items()}
        with pytest.raises(StoreError, match="answered 422: partial write: field type conflict") as raised:
            Sender(store, {("r1", "e1"): {1}}).send(T0 + 1000, sample(2))
        assert "\n" not in str(raised.value)
        assert store.contents().samples == 1


def test_a_wrong_token_is_said_and_not_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the server and the reason; no message has the token."""
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1))
    monkeypatch.setenv("INFLUXDB_TOKEN", "sesame-open")
    with pytest.raises(StoreError, match="answered 401: unauthorized") as raised:
        home.open()
    assert "sesame" not in str(raised.value) + repr(home.address)


def test_without_a_token_or_a_bucket_nothing_opens(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    elsewhere = Home(parse_store(str(home.address).replace("vitals", "others")), home.folder)
    with pytest.raises(StoreError, match="there is no bucket 'others'"):
        elsewhere.open()
    monkeypatch.delenv("INFLUXDB_TOKEN")
    with pytest.raises(StoreAddressError, match="set INFLUXDB_TOKEN"):
        home.open()


def test_token_from_a_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may name a file instead."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    monkeypatch.delenv("INFLUXDB_TOKEN")
    monkeypatch.setenv("INFLUXDB_TOKEN_FILE", str(tmp_path / "token"))
    home.open().close()
    monkeypatch.setenv("INFLUXDB_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreAddressError, match="none: cannot be read"):
        home.open()


def test_samples_older_than_the_bucket_keeps_are_kept_at_their_commit(
    home: Home, double: InfluxDouble
) -> None:
    """A bucket with retention refuses old points; the sample's own time is a field."""
    double.kept_s = 30 * 86_400
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1, t=1000), sample(2, t=2000))
        assert [b.t.tolist() for b in store.batches(0, ROSTER)] == [[1000, 2000]]
    assert min(stamp for points in double.points.values() for stamp in points) > (T0 - 60_000) * 1_000_000
