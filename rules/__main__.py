"""`vitals-rules`: check rule files, and run their tests."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rules import load, metrics, scenario, testing
from rules.document import Problem
from rules.metrics import Entry, MetricsError
from rules.rule import RuleSet
from rules.testing import Result

_EXAMPLE = """example:
  vitals-rules check rules/packs
  vitals-rules test rules/packs --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something is wrong with the rules, 2 used wrongly."""
    arguments = _parser().parse_args(argv)
    for path in arguments.paths:
        if not path.exists():
            print(f"{path}: there is no such file or folder", file=sys.stderr)
            return 2
    try:
        catalogue = metrics.read(metrics.shipped(), *arguments.catalogue)
    except MetricsError as error:
        print(error, file=sys.stderr)
        return 2
    status: int = arguments.run(arguments, catalogue)
    return status


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="vitals-rules", description=__doc__, epilog=_EXAMPLE, formatter_class=formatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="read rule files and say everything that is wrong with them",
        epilog="example:\n  vitals-rules check rules/packs my-rules.yaml",
        formatter_class=formatter,
    )
    check.set_defaults(run=_check)
    test = commands.add_parser(
        "test",
        help="run rule tests (*.test.yaml)",
        epilog="example:\n  vitals-rules test rules/packs --json",
        formatter_class=formatter,
    )
    test.set_defaults(run=_test)
    for command in (check, test):
        command.add_argument(
            "paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of them"
        )
        command.add_argument("--catalogue", action="append", type=Path, default=[], metavar="FILE")
        command.add_argument("--json", action="store_true", help="report as JSON")
    return parser


def _check(arguments: argparse.Namespace, catalogue: dict[str, Entry]) -> int:
    paths = load.find(arguments.paths)
    if not paths:
        print(f"no rules: {arguments.paths[0]} has no *.yaml", file=sys.stderr)
        return 2
    try:
        rules = load.load(paths, catalogue)
    except load.RuleErrors as errors:
        _report_problems(errors, arguments.json)
        return 1
    _report(rules, len(paths), arguments.json)
    return 0


def _test(arguments: argparse.Namespace, catalogue: dict[str, Entry]) -> int:
    paths = scenario.find(arguments.paths)
    if not paths:
        print(f"no tests: {arguments.paths[0]} has no *.test.yaml", file=sys.stderr)
        return 2
    outcomes = [_outcome(path, catalogue) for path in paths]
    if arguments.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], ensure_ascii=False, indent=1))
    else:
        for outcome in outcomes:
            print("\n".join(outcome.lines()))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one test file."""

    path: Path
    results: tuple[Result, ...] = ()
    unreached: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems and not any(result.failures for result in self.results)

    def lines(self) -> Iterator[str]:
        for problem in self.problems:
            yield str(problem)
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


def _outcome(path: Path, catalogue: dict[str, Entry]) -> _Outcome:
    try:
        file = scenario.read(path, catalogue)
    except load.RuleErrors as errors:
        return _Outcome(path, problems=errors.problems)
    results = tuple(testing.run(file))
    return _Outcome(path, results, tuple(testing.unreached(file.rules, results)))


def _report(rules: RuleSet, files: int, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": True, "files": files, "rules": len(rules.rules), "problems": []}))
    else:
        print(f"{len(rules.rules)} rules in {files} files: nothing wrong")


def _report_problems(errors: load.RuleErrors, as_json: bool) -> None:
    if not as_json:
        print(errors, file=sys.stderr)
        return
    problems = [asdict(problem) for problem in errors.problems]
    print(json.dumps({"ok": False, "problems": problems}, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
