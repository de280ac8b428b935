"""`vitals-collector registry` and `roster`: customers, contracts, sites and robots in files."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from collector import registry_files
from collector.commands.arguments import Commands, add_data, command, database, own_database
from collector.config import ConfigError
from collector.registry import Difference, Kind, Plan, Reading
from collector.registry.reading import Form
from collector.registry_files import read_files
from collector.relational import Relational
from collector.relational.registry import Outcome

BY = "command"  # who did it, where nobody is named
_ABOUT_FILE = "YAML with customers, contracts, sites and robots, or CSV of one of them"


def add_to(parsers: Commands) -> None:
    """Describes the commands."""
    about = "customers, contracts, sites and robots"
    group = parsers.add_parser("registry", help=about).add_subparsers(required=True, metavar="COMMAND")
    _add_import(group)
    _add_export(group)
    roster = parsers.add_parser("roster", help="robots").add_subparsers(required=True, metavar="COMMAND")
    _add_roster_import(roster)


def _add_import(group: Commands) -> None:
    about = "add to the registry, or change it, from YAML or CSV; a running collector takes it up"
    example = "registry import customers.csv sites.csv --dry-run --data data"
    parser = command(group, "import", about, example)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=_ABOUT_FILE)
    parser.add_argument(
        "--kind", choices=[kind.plural for kind in Kind], help="what the rows are, if no file's name says it"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and do nothing")
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that are wrong")
    parser.add_argument("--by", default=BY, metavar="NAME", help="who did it, for the history of changes")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    add_data(parser)
    parser.set_defaults(run=_import)


def _add_export(group: Commands) -> None:
    about = "write the whole registry; import reads it back to the same"
    parser = command(group, "export", about, "registry export --out registry.yaml --data data")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR|FILE.yaml", help="a folder for CSV, a file for YAML"
    )
    parser.add_argument("--format", choices=("csv", "yaml"), help="default: by --out")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    add_data(parser)
    parser.set_defaults(run=_export)


def _add_roster_import(group: Commands) -> None:
    about = "add robots, or change them, from YAML or CSV; a running collector takes them up"
    parser = command(group, "import", about, "roster import robots.csv --data data")
    parser.add_argument("file", type=Path, metavar="FILE", help="columns id, name, customer, site, …")
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that are wrong")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    add_data(parser)
    parser.set_defaults(run=_roster_import)


# --- registry import --------------------------------------------------------------------------------------


def _import(arguments: argparse.Namespace) -> int:
    kind = next((kind for kind in Kind if kind.plural == arguments.kind), None)
    reading = read_files(arguments.files, kind)
    outcome = _do(arguments, reading, arguments.by, dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps(_report(outcome), ensure_ascii=False))
    else:
        _tell(outcome, arguments.dry_run)
    return 1 if outcome.plan.problems else 0


def _do(arguments: argparse.Namespace, reading: Reading, who: str, *, dry_run: bool) -> Outcome:
    if any(problem.fatal for problem in reading.problems):
        return Outcome(Plan((), 0, reading.problems), (), done=False)  # nothing is opened, or made, for it
    now = time.time_ns() // 1_000_000
    with closing(_relational(arguments)) as relational:
        return relational.registry.import_(reading, who, now, dry_run=dry_run, skip_bad=arguments.skip_bad)


def _tell(outcome: Outcome, dry_run: bool) -> None:
    """Differences where nothing was done yet, then doubts, problems, and what it comes to."""
    if dry_run:
        for line in _differences(outcome.plan):
            print(line)
    for doubt in outcome.doubts:
        print(f"note: {doubt}")
    sys.stdout.flush()
    for problem in outcome.plan.problems:
        print(f"{problem.place}: {problem.error}", file=sys.stderr)
    if outcome.done:
        print(_sum(outcome.plan, ""))
    elif dry_run and not any(problem.fatal for problem in outcome.plan.problems):
        print(_sum(outcome.plan, "would be "))
    if outcome.plan.problems and not outcome.done:
        _advise(outcome.plan)


def _advise(plan: Plan) -> None:
    if any(problem.fatal for problem in plan.problems):
        return
    rows = "this row" if len(plan.problems) == 1 else f"these {len(plan.problems)} places"
    advice = f"nothing was imported; correct {rows}, or add --skip-bad to leave out what is wrong"
    print(advice, file=sys.stderr)


def _sum(plan: Plan, would: str) -> str:
    counts = plan.counts
    return (
        f"{counts['added']} {would}added, {counts['changed']} {would}changed, {plan.unchanged} as they were"
    )


def _differences(plan: Plan) -> Iterator[str]:
    for each in plan.differences:
        yield f"{'+' if each.what == 'added' else '~'} {each.kind.value} {each.id}"
        for name, (before, after) in each.fields.items():
            was = "" if each.what == "added" else f"{_shown(before)} → "
            if each.what != "added" or after is not None:
                yield f"    {name}: {was}{_shown(after)}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _report(outcome: Outcome) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "done": outcome.done,
        "added": plan.counts["added"],
        "changed": plan.counts["changed"],
        "unchanged": plan.unchanged,
        "differences": [_difference(each) for each in plan.differences],
        "problems": [
            {"file": each.source, "line": each.line, "field": each.error.field, "reason": str(each.error)}
            for each in plan.problems
        ],
        "notes": [str(doubt) for doubt in outcome.doubts],
    }


def _difference(each: Difference) -> dict[str, Any]:
    fields = {name: {"before": pair[0], "after": pair[1]} for name, pair in each.fields.items()}
    return {"what": each.what, "kind": each.kind.value, "id": each.id, "fields": fields}


# --- roster import, registry export -----------------------------------------------------------------------


def _roster_import(arguments: argparse.Namespace) -> int:
    outcome = _do(arguments, read_files([arguments.file], Kind.ROBOT), BY, dry_run=False)
    plan = outcome.plan
    for problem in plan.problems:
        print(f"{problem.place}: {problem.error}", file=sys.stderr)
    if not outcome.done:
        _advise(plan)
        return 1
    counts = plan.counts
    if arguments.json:
        print(json.dumps({**counts, "unchanged": plan.unchanged, "bad": len(plan.problems)}))
    else:
        said = f"{counts['added']} robots added, {counts['changed']} changed, {plan.unchanged} as they were"
        print(said)
    return 1 if plan.problems else 0


def _export(arguments: argparse.Namespace) -> int:
    form = _form(arguments)
    with closing(_relational(arguments)) as relational:
        contents = relational.registry.contents()
    paths = registry_files.write(contents, arguments.out, form)
    counts = {kind.plural: len(contents[kind]) for kind in Kind}
    if arguments.json:
        print(json.dumps({"files": [str(path) for path in paths], **counts}))
    else:
        print("\n".join(map(str, paths)))
        print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    return 0


def _form(arguments: argparse.Namespace) -> Form:
    is_yaml = arguments.out.suffix.lower() in (".yaml", ".yml")
    form: Form = arguments.format or ("yaml" if is_yaml else "csv")
    if form == "csv" and (is_yaml or arguments.out.is_file()):
        raise ConfigError(f"--out {arguments.out}: CSV goes into a folder, a file each; name a folder")
    if form == "yaml" and arguments.out.is_dir():
        raise ConfigError(f"--out {arguments.out}: is a folder; name a file such as registry.yaml")
    return form


def _relational(arguments: argparse.Namespace) -> Relational:
    return Relational(database(arguments) or own_database(arguments.data))
