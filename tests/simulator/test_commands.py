"""`vitals-sim` on a command line: what it makes, and how it refuses."""

import json
from pathlib import Path

import pytest

from rules.recording import read_batches, read_header
from rules.roster import Roster
from simulator.__main__ import main


def test_a_recording_holds_robots_samples_and_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One batch a beat with every robot in it, the roster in the header, and faults as labels."""
    out, faults = tmp_path / "past.parquet", tmp_path / "faults.csv"
    arguments = ["--robots", "5", "--days", "0.5", "--out", str(out), "--labels", str(faults), "--json"]
    assert main(["record", *arguments, "--fault", "lidar_failing:2:-3h:1h"]) == 0
    report = json.loads(capsys.readouterr().out)
    header = read_header(out)
    batches = list(read_batches(out, Roster(header.robots), metrics=["engagement.visitors"]))
    assert report["samples"] == sum(len(batch) for batch in batches) == 5 * 144
    assert {len(batch) for batch in batches} == {5}
    assert (
        header.listening[0][0] < batches[0].committed_at <= batches[-1].committed_at <= header.listening[0][1]
    )
    assert header.robots[0].attributes["industry"] == "exhibition_hall"
    assert faults.read_text().splitlines()[1].startswith("rv-0002,lidar_failing,")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["fleet", "--mqtt", "http://x", "--robots", "1"], 2, "no MQTT URL"),
        (["fleet", "--mqtt", "mqtt://127.0.0.1:1", "--fault", "lidar:1"], 2, "unknown kind 'lidar'"),
        (
            ["fleet", "--mqtt", "mqtt://127.0.0.1:1", "--fault", "lidar_failing:99"],
            2,
            "there is no robot rv-0099",
        ),
        (["fleet", "--mqtt", "mqtt://127.0.0.1:1", "--start-from", "/no.parquet"], 1, "/no.parquet"),
        (["record", "--out", "/nowhere/past.parquet", "--days", "0.1"], 1, "/nowhere/past.parquet"),
        (["demo", "--robots", "3"], 2, "--robots 3"),
        (["demo", "--http", "8080"], 2, "write HOST:PORT"),
    ],
)
def test_wrong_use_gets_one_line(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the value; the exit code says whether it was used wrongly or found something wrong."""
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("vitals-sim: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["fleet"], ["record", "--out", "x", "--days", "many"], ["nothing"]])
def test_the_parser_refuses_with_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """argparse's own errors keep the convention."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demo does not go into a folder of other things."""
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["demo", "--http", "127.0.0.1:1", "--data", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
