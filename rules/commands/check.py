"""`vitals-rules check`: everything that is wrong with rule files and their playbooks."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rules import commands, load, playbooks
from rules.document import Problem
from rules.rule import RuleSet


def add(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describes the command."""
    example = "  vitals-rules check rules/packs my-rules.yaml"
    parser = commands.command(
        parsers, "check", "read rule files and playbooks and say everything that is wrong with them", example
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of them")
    parser.add_argument("--catalogue", action="append", type=Path, default=[], metavar="FILE")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """1 where something is wrong."""
    known = commands.catalogue(arguments.catalogue)
    files = load.find(arguments.paths)
    try:
        rules = commands.rules(arguments.paths, known)
    except load.RuleErrors as errors:
        _tell_problems([*errors.problems, *playbooks.problems(files)], arguments.json)
        return 1
    found = playbooks.check(rules, files)
    if found.problems:
        _tell_problems(found.problems, arguments.json)
        return 1
    _tell(rules, len(files), found.warnings, arguments.json)
    return 0


def _tell(rules: RuleSet, files: int, warnings: Sequence[Problem], as_json: bool) -> None:
    if as_json:
        report = {"ok": True, "files": files, "rules": len(rules.rules), "problems": []}
        print(
            json.dumps(report | {"warnings": [asdict(warning) for warning in warnings]}, ensure_ascii=False)
        )
        return
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{len(rules.rules)} rules in {files} files: nothing wrong")


def _tell_problems(problems: Sequence[Problem], as_json: bool) -> None:
    if not as_json:
        print(*problems, sep="\n", file=sys.stderr)
        return
    report = {"ok": False, "problems": [asdict(problem) for problem in problems]}
    print(json.dumps(report, ensure_ascii=False))
