"""The commands: what they say to wrong use and wrong files, and what an import leaves."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.__main__ import main
from collector.config import Evaluation
from collector.folder import Folder
from collector.stores.duckdb import DuckStore
from collector.transfer import TransferError, import_recording
from rules.__main__ import main as backtest
from rules.recording import Header
from rules.roster import Robot
from tests.collector.ingest.examples import CATALOGUE, NOW, commit, sample
from tests.collector.ingest.test_ingest import RULES

RUN = ("run", "--mqtt", "mqtt://127.0.0.1:1", "--fleet", "main", "--http", "127.0.0.1:0", "--data", "d")
Recorded = Callable[..., Path]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Makes a recording of r1: a sample every 30 s, each with one more drop than the one before."""

    def record(name: str, first: int, last: int) -> Path:
        store = DuckStore(tmp_path / f"{name}.duckdb", CATALOGUE)
        for seq in range(first, last + 1):
            store.append(commit([sample(seq)], NOW + 30_000 * seq + 700))
        listening = ((NOW, NOW + 30_000 * (last + 40)),)
        path = tmp_path / f"{name}.parquet"
        store.export(path, Header(listening, (Robot("r1", {"site": "HQ", "lifecycle": "live"}),)))
        store.close()
        return path

    return record


def alerts(data: Path) -> list[Any]:
    """Every alert of a folder, as rows."""
    with sqlite3.connect(data / "collector.sqlite") as connection:
        query = "SELECT id, rule, entity, opened_at, signal, work, closed_at FROM alerts ORDER BY id"
        return connection.execute(query).fetchall()


def imported(path: Path, data: Path) -> int:
    """Imports, and answers how many samples were new."""
    evaluation = Evaluation((Path("rules.yaml"),))
    return import_recording(path, Folder(data), evaluation, lambda _done, _at: None).imported.added


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((*RUN, "--fleet", "No Fleet"), 2, "--fleet 'No Fleet'"),
        ((*RUN, "--mqtt", "tcp://x"), 2, "'tcp://x' is no MQTT URL"),
        ((*RUN, "--http", "8080"), 2, "'8080' is no address"),
        ((*RUN, "--http", "203.0.113.1:80"), 2, "cannot listen on 203.0.113.1:80"),
        ((*RUN, "--eval-delay", "0"), 2, "--eval-delay 0"),
        ((*RUN, "--catalogue", "none.yaml"), 2, "none.yaml"),
        ((*RUN, "--rules", "none.yaml"), 1, "none.yaml"),
        ((*RUN, "--data", "rules.yaml"), 2, "rules.yaml: cannot be made"),
        ((*RUN, "--rules", "empty"), 2, "--rules empty: has no *.yaml"),
        ((*RUN, "--mqtt", "mqtts://x", "--key", "k.pem"), 2, "--key k.pem needs --cert"),
        (("import", "none.parquet", "--data", "d"), 1, "none.parquet: is not there"),
        (("import", "empty", "--data", "d"), 1, "empty: is a folder"),
        (("import", "*.parquet", "--data", "d"), 1, "*.parquet: is not there"),
        (("import", "rules.yaml", "--data", "d"), 1, "rules.yaml"),
        (("import", "other.parquet", "--data", "d"), 1, "other.parquet: not a recording"),
        (("export", "--data", "nothing", "--out", "x.parquet"), 2, "nothing: no collector's data"),
        (("export", "--data", "d"), 2, "nothing to export; give --out FILE.parquet, --alerts FILE.jsonl"),
        (("roster", "import", "none.csv", "--data", "d"), 1, "none.csv: cannot be read"),
    ],
)
def test_wrong_use_and_wrong_files_get_one_line(
    arguments: tuple[str, ...], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the value, and no traceback comes with it."""
    duckdb.execute("COPY (SELECT 1 AS x) TO 'other.parquet'")
    Path("empty").mkdir()
    assert main(arguments) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(said) or said in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("name", ["samples.duckdb", "collector.sqlite"])
def test_damaged_data_say_what_to_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the file and the way out; the file is left as it is."""
    Path("d").mkdir()
    Path("d", name).write_bytes(b"garbage " * 1000)
    assert main(RUN) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"d/{name}: " in line
    assert "; put it back from a backup, or " in line
    assert Path("d", name).read_bytes() == b"garbage " * 1000


def test_damaged_recording_is_blamed_itself(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """Not the store, which takes in the good one afterwards."""
    good = recorded("past", 1, 60)
    data = good.read_bytes()
    start = len(data) // 8
    Path("bad.parquet").write_bytes(data[:4] + bytes(b ^ 0x5A for b in data[4:start]) + data[start:])
    assert main(["import", "bad.parquet", "--data", "d"]) == 1
    line = capsys.readouterr().err
    assert line.startswith("bad.parquet: cannot be taken in: ")
    assert line.count("\n") == 1
    assert imported(good, Path("d")) == 60


def test_export_to_where_nothing_can_be_written(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file to write is named, not the store."""
    imported(recorded("past", 1, 3), Path("d"))
    assert main(["export", "--data", "d", "--out", "/proc/x.parquet"]) == 1
    assert capsys.readouterr().err.startswith("/proc/x.parquet: cannot be written: ")


def test_the_alert_log_of_an_import(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a backtest's, byte for byte; the recording comes with it, or without."""
    past = recorded("past", 1, 60)
    imported(past, Path("d"))
    assert main(["export", "--data", "d", "--alerts", "a.jsonl"]) == 0
    lines = Path("a.jsonl").read_bytes()
    assert [json.loads(line)["event"] for line in lines.splitlines()] == ["firing", "firing", "resolved"]
    assert main(["export", "--data", "d", "--out", "o.parquet", "--alerts", "b.jsonl", "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["alerts"] == {"file": "b.jsonl", "bytes": len(lines)}
    assert (report["file"], Path("b.jsonl").read_bytes()) == ("o.parquet", lines)
    assert backtest(["backtest", "--recording", "o.parquet", "--rules", "rules.yaml", "--out", "o"]) == 0
    assert Path("o/alerts.jsonl").read_bytes() == lines


@pytest.mark.parametrize("alerts", ["/proc/a.jsonl", "none/a.jsonl"])
def test_an_alert_log_that_cannot_be_written(
    recorded: Recorded, capsys: pytest.CaptureFixture[str], alerts: str
) -> None:
    """One line, with the file."""
    imported(recorded("past", 1, 3), Path("d"))
    assert main(["export", "--data", "d", "--alerts", alerts]) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"{alerts}: ")
    assert line.count("\n") == 1


def test_bad_rows_keep_a_roster_out_unless_they_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Every bad row gets a line; the good ones come in only on demand."""
    Path("r.csv").write_text("id,tz\ngood,UTC\nbad one,\nr3,Nowhere/Land\n")
    assert main(["roster", "import", "r.csv", "--data", "d"]) == 1
    assert [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines()[:2]] == [
        "r.csv:3",
        "r.csv:4",
    ]
    assert main(["roster", "import", "r.csv", "--data", "d", "--skip-bad", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"added": 1, "changed": 0, "unchanged": 0, "bad": 2}


def test_import_gives_the_past_its_alerts(recorded: Recorded, tmp_path: Path) -> None:
    """Alerts are opened, and closed, when they would have been; robots and their attributes are known."""
    assert imported(recorded("past", 1, 60), tmp_path / "d") == 60
    found = alerts(tmp_path / "d")
    assert [(row[1], row[4]) for row in found] == [("ManyDrops", "resolved"), ("Silent", "firing")]
    drops, silent = found
    assert NOW < drops[3] < NOW + 30_000 * 20
    assert NOW + 30_000 * 60 + 300_000 < silent[3] < NOW + 30_000 * 75
    with sqlite3.connect(tmp_path / "d" / "collector.sqlite") as connection:
        assert connection.execute("SELECT id, site, lifecycle FROM robots").fetchall() == [
            ("r1", "HQ", "live")
        ]


def test_same_recording_again_changes_nothing(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its samples are there already, and the command says so."""
    path = recorded("past", 1, 60)
    imported(path, tmp_path / "d")
    before = alerts(tmp_path / "d")
    assert main(["import", str(path), "--data", "d", "--rules", "rules.yaml"]) == 0
    assert "60 samples were there already" in capsys.readouterr().out
    assert alerts(tmp_path / "d") == before


def test_interrupted_import_goes_on_where_it_was(recorded: Recorded, tmp_path: Path) -> None:
    """Samples in the store without their evaluations: the same command makes it whole."""
    path = recorded("past", 1, 60)
    imported(path, tmp_path / "whole")
    Folder(tmp_path / "cut").create()
    store = DuckStore(Folder(tmp_path / "cut").samples, CATALOGUE)
    store.take(path)
    store.close()
    assert imported(path, tmp_path / "cut") == 0
    assert alerts(tmp_path / "cut") == alerts(tmp_path / "whole")


def test_past_of_the_past_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    """A recording from before what is evaluated already cannot be taken in its own time; nothing changes."""
    imported(recorded("later", 50, 90), tmp_path / "d")
    before = alerts(tmp_path / "d")
    with pytest.raises(TransferError, match="import it into a folder of its own"):
        imported(recorded("earlier", 1, 40), tmp_path / "d")
    assert alerts(tmp_path / "d") == before
    store = DuckStore(Folder(tmp_path / "d").samples, CATALOGUE)
    assert store.contents().samples == 41
    store.close()
