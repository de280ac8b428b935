"""`vitals-collector registry`: files in, after a look, and out again."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from collector.__main__ import main
from collector.registry import Kind
from collector.relational import Relational

CUSTOMERS = "id,tier,csm\nACME,key,eve\n江海银行,战略,\n"
BAD = "id,customer,begins_on,ends_on\nC-1,ACME,2026-01-01,2026-12-31\nC-2,ACME,2026-02-30,2026-12-31\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with two files, one of which has a bad row."""
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8-sig")
    (tmp_path / "contracts.csv").write_text(BAD)
    return tmp_path


def run(files: Path, *arguments: str) -> int:
    """A command on the data in the folder."""
    return main(["registry", *arguments, "--data", str(files / "data")])


def counts(files: Path) -> dict[Kind, int]:
    """What is registered."""
    with closing(Relational(f"sqlite:///{files / 'data' / 'collector.sqlite'}")) as relational:
        return relational.registry.counts()


def test_a_dry_run_shows_and_does_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Differences field by field, and every bad row with file, line and reason."""
    assert run(files, "import", str(files / "customers.csv"), str(files / "contracts.csv"), "--dry-run") == 1
    told = capsys.readouterr()
    assert "+ customer 江海银行\n    tier: strategic\n" in told.out
    assert told.out.endswith("3 would be added, 0 would be changed, 0 as they were\n")
    assert f"{files / 'contracts.csv'}:3: begins_on '2026-02-30' is no date; write YYYY-MM-DD\n" in told.err
    assert set(counts(files).values()) == {0}


def test_nothing_is_imported_by_halves(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a bad row in one file, nothing of either; unless bad rows are left out."""
    both = [str(files / "customers.csv"), str(files / "contracts.csv")]
    assert run(files, "import", *both) == 1
    assert "nothing was imported; correct this row, or add --skip-bad" in capsys.readouterr().err
    assert set(counts(files).values()) == {0}
    assert run(files, "import", *both, "--skip-bad") == 1
    assert counts(files) == {Kind.CUSTOMER: 2, Kind.CONTRACT: 1, Kind.SITE: 0, Kind.ROBOT: 0}


def test_what_is_changed_is_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, or as JSON; who did it stands in the history."""
    path = files / "customers.csv"
    assert run(files, "import", str(path), "--by", "eve") == 0
    assert capsys.readouterr().out == "2 added, 0 changed, 0 as they were\n"
    path.write_text("id,tier\nACME,strategic\n")
    assert run(files, "import", str(path), "--dry-run") == 0
    assert "~ customer ACME\n    tier: key → strategic\n" in capsys.readouterr().out
    assert run(files, "import", str(path), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["done"], report["changed"]) == (True, 1)
    assert report["differences"][0]["fields"] == {"tier": {"before": "key", "after": "strategic"}}
    with closing(Relational(f"sqlite:///{files / 'data' / 'collector.sqlite'}")) as relational:
        newest, oldest = relational.registry.history(Kind.CUSTOMER, "ACME").items
    assert (newest.who, oldest.who) == ("command", "eve")


def test_the_kind_may_be_given(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no file's name says it."""
    other = files / "export-2026.csv"
    other.write_text("id,tz\nHall,UTC\n")
    assert run(files, "import", str(other)) == 1
    assert "nothing says what its rows are" in capsys.readouterr().err
    assert run(files, "import", str(other), "--kind", "sites") == 0
    assert counts(files)[Kind.SITE] == 1


@pytest.mark.parametrize("out", ["whole.yaml", "tables"])
def test_what_is_written_out_comes_back(files: Path, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As one file of YAML, or a folder of CSV."""
    robots = files / "robots.yaml"
    robots.write_text('- {id: r1, customer: ACME, floor: 3, code: "007"}\n')
    assert run(files, "import", str(files / "customers.csv"), str(robots)) == 0
    assert run(files, "export", "--out", str(files / out)) == 0
    assert "2 customers, 0 contracts, 0 sites, 1 robots" in capsys.readouterr().out
    written = [files / out] if out.endswith("yaml") else sorted((files / out).iterdir())
    fresh = ["registry", "import", *map(str, written), "--data", str(files / "fresh")]
    assert main([*fresh, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 3
    assert run(files, "import", *map(str, written), "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 3


@pytest.mark.parametrize(
    ("out", "more", "reason"),
    [
        ("x.yaml", ["--format", "csv"], "CSV goes into a folder"),
        (".", ["--format", "yaml"], "is a folder; name a file"),
        ("none/x.yaml", [], "cannot be written"),
    ],
)
def test_where_it_cannot_be_written(
    files: Path, out: str, more: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says why."""
    assert run(files, "export", "--out", str(files / out), *more) in (1, 2)
    assert reason in capsys.readouterr().err


def test_roster_import_is_its_robots_part(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it always was: any name, robots alone, bad rows told by line."""
    path = files / "fleet.csv"
    path.write_text("id,site\nr1,HQ\nno good,HQ\n")
    arguments = ["roster", "import", str(path), "--data", str(files / "data")]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert f"{path}:3: id 'no good' is no robot's id" in told
    assert main([*arguments, "--skip-bad", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"added": 1, "changed": 0, "unchanged": 0, "bad": 1}
