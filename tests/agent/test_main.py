"""The command line: what a person sees who uses it rightly or wrongly."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from agent import VERSION
from agent.__main__ import main
from tests.agent.process import AGENT, TIMEOUT_S

LEAST = ["run", "--fleet", "f", "--robot", "r", "--mqtt", "mqtt://127.0.0.1:1"]


@pytest.mark.parametrize("command", [[], ["run"], ["status"]])
def test_help_has_an_example(command: list[str]) -> None:
    """`--help` exits 0 and shows a command to copy."""
    answer = subprocess.run([*AGENT, *command, "--help"], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert answer.returncode == 0
    assert "examples:\n  vitals-agent " in answer.stdout


def test_knows_its_version() -> None:
    """What hello says is what is installed."""
    assert version("robovitals") == VERSION


WRONG = [
    (["run"], 2, ["fleet is missing", "robot is missing", "mqtt is missing"]),
    (["run", "--config", "nowhere.yaml"], 2, ["nowhere.yaml: cannot be read: No such file or directory"]),
    ([*LEAST, "--interval-s", "x"], 2, ["--interval-s: interval_s: 'x' is no number of seconds"]),
    ([*LEAST, "--label", "x"], 2, ["--label: 'x' is not NAME=VALUE"]),
    ([*LEAST, "--tls-ca", "nowhere"], 2, ["--tls-ca: tls.ca: no file nowhere"]),
    ([*LEAST, "--catalogue", "nowhere"], 2, ["nowhere: cannot be read"]),
    ([*LEAST, "--spool", "file/spool"], 1, ["spool folder file/spool cannot be used", "--spool FOLDER"]),
    (
        [*LEAST, "--spool", "s", "--socket", "file/x"],
        1,
        ["socket file/x cannot be used", "--socket PATH"],
    ),
    ([*LEAST, "--spool", "s", "--socket", "file"], 1, ["a file of that name is there already"]),
    (
        [*LEAST, "--spool", "s", "--socket", "off", "--udp", "192.0.2.1:1"],
        1,
        ["udp 192.0.2.1:1 cannot be used", "--udp HOST:PORT, or --udp off"],
    ),
    (["status", "--spool", "s"], 1, ["no agent has run on s; name its folder with --spool or --config"]),
]


@pytest.mark.parametrize(("argv", "code", "said"), WRONG, ids=[" ".join(argv) for argv, _, _ in WRONG])
def test_tells_what_is_wrong_and_what_to_do(
    argv: list[str],
    code: int,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Short lines that name place and value; never a traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(argv) == code
    complaint = capsys.readouterr().err
    assert all(part in complaint for part in said), complaint
    assert all(line.startswith("vitals-agent: ") for line in complaint.splitlines())


@pytest.mark.parametrize("content", ["fleet: demo\nflet: x\n", "fleet: [", "tls: {ca: 1, xx: 2}"])
def test_names_line_and_column(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the file is found without searching."""
    (tmp_path / "agent.yaml").write_text(content)
    assert main(["run", "--config", str(tmp_path / "agent.yaml")]) == 2
    assert f"vitals-agent: {tmp_path}/agent.yaml:" in capsys.readouterr().err
