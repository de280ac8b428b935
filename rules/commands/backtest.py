"""`vitals-rules backtest`: rules over a recording, the alerts that come of it, and a report on them."""

import argparse
import ctypes
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rules import alert_log, commands, labels, load
from rules.alerts import Alerts
from rules.backtest import Plan, Span
from rules.backtest import run as run_backtest
from rules.commands import UsageError
from rules.difference import between
from rules.evaluation import Evaluation
from rules.labels import Label
from rules.recording import Recording
from rules.report import Report, Subject, as_json, figures, page, summary
from rules.report.figures import Time
from rules.rule import RuleSet

_EXAMPLE = """  vitals-rules backtest --recording fleet.parquet --rules my-rules --out backtest
  vitals-rules backtest --recording fleet.parquet --rules new --diff old --labels faults.csv --out backtest"""
_EPILOG = """

Into --out come alerts.jsonl (as the collector logs alerts), report.json and report.html.
Exit status: 0 done; 1 --diff found differences, or a rule failed; 2 it could not be done."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def add(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describes the command."""
    parser = commands.command(parsers, "backtest", "run rules over a recording", _EXAMPLE + _EPILOG)
    commands.add_recording(parser)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="faults that were there: CSV robot,fault,start,end[,rule]"
    )
    parser.add_argument(
        "--diff",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="older rules to compare with; repeat it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder for the results; made if it is not there",
    )
    parser.add_argument("--json", action="store_true", help="print report.json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """1 where there are differences, or a rule failed."""
    known = commands.catalogue(arguments.catalogue)
    rule_sets = [commands.rules(arguments.rules or load.shipped(), known)]
    if arguments.diff:
        rule_sets.append(commands.rules(arguments.diff, known))
    recording = Recording(arguments.recording)
    plan = Plan(recording, commands.roster(recording, arguments.roster), arguments.eval_delay)
    faults = None
    if arguments.labels is not None:
        faults = labels.read(arguments.labels, plan.roster, rule_sets[0].rules)
    _make(arguments.out)
    found, span = _gone_through(plan, rule_sets, arguments.out / "alerts.jsonl")
    report = _report(arguments, plan, span, rule_sets, found, faults)
    document = json.dumps(as_json(report), ensure_ascii=False, indent=1)
    (arguments.out / "report.json").write_text(f"{document}\n", encoding="utf-8")
    (arguments.out / "report.html").write_text(page.render(report), encoding="utf-8")
    print(document if arguments.json else "\n".join(summary.lines(report, arguments.out)))
    return 1 if report.difference or report.errors else 0


class _Found:
    """What one rule set finds; its alerts go to the log, if it has one."""

    def __init__(self, log: IO[str] | None) -> None:
        self.alerts = Alerts()
        self.errors: dict[str, tuple[str, int]] = {}
        self._log = log

    def take(self, evaluations: Sequence[Evaluation]) -> None:
        for evaluation in evaluations:
            if evaluation.events or evaluation.suppressions:
                self.alerts.take(evaluation)
                if self._log is not None:
                    self._log.writelines(f"{line}\n" for line in alert_log.lines(evaluation))
            for rule, message in evaluation.errors:
                self.errors[rule] = (message, self.errors.get(rule, ("", 0))[1] + 1)


def _gone_through(plan: Plan, rule_sets: Sequence[RuleSet], log: Path) -> tuple[list[_Found], Span]:
    """The log is there when all of it is."""
    _keep_memory()
    began = time.perf_counter()
    part = log.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as file, commands.progress(plan.recording) as progress:
            found = [_Found(file), _Found(None)][: len(rule_sets)]
            span = run_backtest(plan, rule_sets, lambda number, done: found[number].take(done), progress)
        part.replace(log)
    finally:
        part.unlink(missing_ok=True)
    took = time.perf_counter() - began
    waited = f"{span.waited_s:.1f} s of it waiting for the recording"
    print(f"{span.samples} samples in {took:.1f} s, {waited}", file=sys.stderr)
    return found, span


def _report(
    arguments: argparse.Namespace,
    plan: Plan,
    span: Span,
    rule_sets: Sequence[RuleSet],
    found: Sequence[_Found],
    faults: Sequence[Label] | None,
) -> Report:
    new, time_ = list(found[0].alerts), Time(span.begin, span.end)
    errors = dict(found[0].errors)
    scores = None
    if faults is not None:
        scores = labels.score(faults, new, rule_sets[0].rules, plan.roster, span.end)
    subject = Subject(
        plan.recording.path.name,
        _named(arguments.rules) or "the shipped rules",
        _named(arguments.diff) or None,
        time_,
        len(plan.roster),
        span.samples,
        _unseen(rule_sets[0], plan.recording),
    )
    return Report(
        subject,
        figures.of(new, rule_sets[0], plan.roster.ids, time_),
        errors,
        scores,
        between(new, list(found[1].alerts)) if len(found) > 1 else None,
    )


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def _unseen(rules: RuleSet, recording: Recording) -> dict[str, tuple[str, ...]]:
    """Metrics that rules look at and the recording has no column of."""
    missing = [metric for metric in rules.metrics if metric not in recording.metrics]
    return {metric: tuple(rule.name for rule in rules.rules if metric in rule.metrics) for metric in missing}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be made: {error.strerror}") from None


def _keep_memory() -> None:
    """Makes glibc keep what is freed: fresh pages for every portion would be a third of the reading."""
    with suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
