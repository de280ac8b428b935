"""`vitals-rules test`: runs rule tests."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rules import commands, coverage, junit, load, scenario, testing
from rules.commands import UsageError
from rules.coverage import Coverage
from rules.document import Problem
from rules.metrics import Entry
from rules.rule import RuleSet
from rules.testing import Result

_EXAMPLE = """  vitals-rules test rules/packs --json
  vitals-rules test rules/packs --junit tests.xml --min-coverage 100"""


def add(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describes the command."""
    parser = commands.command(parsers, "test", "run rule tests (*.test.yaml)", _EXAMPLE)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of them")
    parser.add_argument("--catalogue", action="append", type=Path, default=[], metavar="FILE")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML, for build servers")
    parser.add_argument(
        "--coverage", action="store_true", help="say which states of which rules no test reaches"
    )
    parser.add_argument(
        "--min-coverage",
        type=_percent,
        metavar="P",
        help="exit with 1 where less than P percent of the states are reached",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """1 where a test fails, or too little is reached."""
    outcomes = _outcomes(arguments.paths, commands.catalogue(arguments.catalogue))
    if arguments.junit is not None:
        _write_junit(arguments.junit, outcomes)
    asked = arguments.coverage or arguments.min_coverage is not None
    reached = _coverage(outcomes) if asked else None
    enough = reached is None or reached.percent >= (arguments.min_coverage or 0)
    if arguments.json:
        print(json.dumps(_as_json(outcomes, reached), ensure_ascii=False, indent=1))
    else:
        _tell(outcomes, reached)
    if not enough and reached is not None:
        print(f"{reached}; {arguments.min_coverage:g} % were asked for", file=sys.stderr)
    return 0 if enough and all(outcome.ok for outcome in outcomes) else 1


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one test file."""

    path: Path
    rules: RuleSet = field(default_factory=RuleSet)
    results: tuple[Result, ...] = ()
    unreached: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems and not any(result.failures for result in self.results)

    def lines(self) -> Iterator[str]:
        yield from map(str, self.problems)
        for result in self.results:
            yield f"{'FAIL' if result.failures else 'ok  '} {self.path}: {result.scenario.name}"
            yield from map(str, result.failures)
        if self.unreached:
            yield f"note {self.path}: no test makes these fire: {', '.join(self.unreached)}"

    def as_json(self) -> dict[str, object]:
        return {
            "file": str(self.path),
            "ok": self.ok,
            "problems": [asdict(problem) for problem in self.problems],
            "tests": [
                {
                    "name": result.scenario.name,
                    "ok": not result.failures,
                    "failures": [asdict(failure) for failure in result.failures],
                }
                for result in self.results
            ],
            "never_fired": list(self.unreached),
        }


def _outcomes(paths: Sequence[Path], known: dict[str, Entry]) -> list[_Outcome]:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
    files = scenario.find(paths)
    if not files:
        raise UsageError(f"no tests: {paths[0]} has no *.test.yaml")
    return [_outcome(path, known) for path in files]


def _outcome(path: Path, known: dict[str, Entry]) -> _Outcome:
    try:
        file = scenario.read(path, known)
    except load.RuleErrors as errors:
        return _Outcome(path, problems=errors.problems)
    results = tuple(testing.run(file))
    return _Outcome(path, file.rules, results, tuple(testing.unreached(file.rules, results)))


def _coverage(outcomes: Sequence[_Outcome]) -> Coverage:
    """Of all files together: a rule that several of them read is one, and what any of them reaches counts."""
    groups = {group.name: group for outcome in outcomes for group in outcome.rules.groups}
    results = [result for outcome in outcomes for result in outcome.results]
    return coverage.of(RuleSet(tuple(groups.values())), results)


def _write_junit(path: Path, outcomes: Sequence[_Outcome]) -> None:
    try:
        junit.write(path, [result for outcome in outcomes for result in outcome.results])
    except OSError as error:
        raise UsageError(f"--junit {path}: cannot be written: {error.strerror}") from None


def _tell(outcomes: Sequence[_Outcome], reached: Coverage | None) -> None:
    for outcome in outcomes:
        print("\n".join(outcome.lines()))
    if reached is None:
        return
    print(reached)
    for rule, state in reached.missing:
        print(f"  no test reaches {rule} {state}")


def _as_json(outcomes: Sequence[_Outcome], reached: Coverage | None) -> object:
    """A list of files; with coverage, an object that has the list."""
    files = [outcome.as_json() for outcome in outcomes]
    if reached is None:
        return files
    missing = [{"rule": rule, "state": state} for rule, state in reached.missing]
    summary = {
        "percent": reached.percent,
        "reached": reached.reached,
        "reachable": reached.reachable,
        "missing": missing,
    }
    return {"files": files, "coverage": summary}


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r}: write 0 to 100")
    return percent
