"""`vitals-rules explain`: why a rule holds, or not, at a time."""

import argparse
import difflib
import json
from collections.abc import Iterable
from typing import get_args

from rules import commands, load
from rules.backtest import Plan
from rules.commands import UsageError
from rules.explain import entity_ids, explain, text
from rules.recording import Recording
from rules.roster import Roster
from rules.rule import EntityKind, Rule, RuleSet

_EXAMPLE = """  vitals-rules explain --recording fleet.parquet --rules my-rules --rule RobotSilent \\
      --robot lobby-07 --at 2026-11-22T08:00:00Z"""


def add(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describes the command."""
    about = "say why a rule holds on a robot, site or customer at a time, or why not"
    parser = commands.command(parsers, "explain", about, _EXAMPLE)
    commands.add_recording(parser)
    parser.add_argument("--rule", required=True, metavar="NAME", help="the rule's name: its `alert`")
    entity = parser.add_mutually_exclusive_group(required=True)
    for kind in get_args(EntityKind):
        entity.add_argument(f"--{kind}", metavar="ID", help=f"a {kind}, for a rule about {kind}s")
    parser.add_argument(
        "--at", required=True, type=commands.instant, metavar="TIME", help="as 2026-11-22T08:00:00Z"
    )
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0, whether it holds or not."""
    known = commands.catalogue(arguments.catalogue)
    rules = commands.rules(arguments.rules or load.shipped(), known)
    rule = _rule(rules, arguments.rule)
    recording = Recording(arguments.recording)
    plan = Plan(recording, commands.roster(recording, arguments.roster), arguments.eval_delay)
    entity = _entity(arguments, rule, plan.roster)
    with commands.progress(recording) as progress:
        explanation = explain(plan, rules, rule, entity, arguments.at, progress)
    if arguments.json:
        print(json.dumps(text.as_json(explanation), ensure_ascii=False, indent=1))
    else:
        print("\n".join(text.lines(explanation)))
    return 0


def _rule(rules: RuleSet, name: str) -> Rule:
    if name not in rules.by_name:
        raise UsageError(f"--rule {name!r}: there is no such rule{_near(name, rules.by_name)}")
    return rules.by_name[name]


def _entity(arguments: argparse.Namespace, rule: Rule, roster: Roster) -> str:
    given: str | None = getattr(arguments, rule.entity)
    if given is None:
        raise UsageError(f"{rule.name} is about {rule.entity}s: give --{rule.entity} ID")
    ids = entity_ids(roster, rule.entity)
    if given not in ids:
        raise UsageError(f"--{rule.entity} {given!r} is not in the roster{_near(given, ids)}")
    return given


def _near(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
