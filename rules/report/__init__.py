"""The report of a backtest: figures, scores by labels and differences, as JSON and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rules.alerts import Alert
from rules.difference import Difference
from rules.labels import Delays, Scores
from rules.report.figures import Figures, Load, Time

__all__ = ["Report", "Subject", "as_json"]

SCHEMA = "robovitals-backtest/1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was gone through: files by name, so that the same run anywhere makes the same report."""

    recording: str
    rules: str
    old_rules: str | None
    time: Time
    robots: int
    samples: int
    unseen: Mapping[str, tuple[str, ...]]  # metrics without a column: the rules that look at them


@dataclass(frozen=True, slots=True)
class Report:
    """What a backtest found."""

    subject: Subject
    figures: Figures
    errors: Mapping[str, tuple[str, int]]  # rules that failed: how, and at how many evaluations
    scores: Scores | None = None
    difference: Difference | None = None


def as_json(report: Report) -> dict[str, Any]:
    """For `report.json`; times are ms UTC, shares and rates are fractions."""
    subject, figures = report.subject, report.figures
    return {
        "schema": SCHEMA,
        "recording": subject.recording,
        "rules": subject.rules,
        "from": subject.time.begin,
        "to": subject.time.end,
        "days": round(subject.time.days, 3),
        "robots": subject.robots,
        "samples": subject.samples,
        "metrics_not_recorded": {name: list(rules) for name, rules in subject.unseen.items()},
        "alerts": figures.alerts,
        "open_at_end": figures.open,
        "standing_over_24h": figures.standing,
        "flapping": _share(figures.flapping, figures.alerts),
        "never_shown": _share(figures.never_shown, figures.alerts),
        "suppressed": {reason: _share(count, figures.alerts) for reason, count in figures.suppressed.items()},
        "per_robot_week": {"all": _load(figures.all), "shown": _load(figures.shown)},
        "top_robots": {
            "share": figures.top_share,
            "robots": [{"robot": robot, "alerts": count} for robot, count in figures.top],
        },
        "by_rule": [asdict(rule) for rule in figures.rules],
        "by_day": [{"day": day, "alerts": dict(counts)} for day, counts in figures.per_day],
        "errors": {
            rule: {"message": message, "evaluations": count}
            for rule, (message, count) in report.errors.items()
        },
        "labels": None if report.scores is None else _scores(report.scores),
        "diff": None
        if report.difference is None
        else {"old_rules": subject.old_rules, **_difference(report.difference)},
    }


def _share(count: int, of: int) -> dict[str, Any]:
    return {"alerts": count, "share": count / of if of else None}


def _load(load: Load) -> dict[str, Any]:
    return {"weeks": load.weeks, "p50": load.p50, "p95": load.p95, "max": load.max}


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "matched_by": scores.matched_by,
        "alerts": scores.alerts,
        "true_alerts": scores.true,
        "precision": scores.true / scores.alerts if scores.alerts else None,
        "faults": scores.labels,
        "seen": scores.seen,
        "recall": scores.seen / scores.labels if scores.labels else None,
        "by_rule": [
            {
                "rule": score.rule,
                "alerts": score.alerts,
                "true_alerts": score.true,
                "precision": score.precision,
                "faults": score.faults,
                "seen": score.seen,
                "recall": score.recall,
                **_delays(score.delays),
            }
            for score in scores.rules
        ],
        "by_fault": [
            {
                "fault": score.fault,
                "faults": score.faults,
                "seen": score.seen,
                "recall": score.recall,
                "seen_by": dict(score.rules),
                **_delays(score.delays),
            }
            for score in scores.faults
        ],
    }


def _delays(delays: Delays) -> dict[str, Any]:
    return {"delay_p50_ms": delays.p50, "delay_p95_ms": delays.p95}


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "same": difference.same,
        "only_new": _alerts(difference.only_new),
        "only_old": _alerts(difference.only_old),
        "moved": [
            {**_alert(pair.new), "old": _times(pair.old), "new": _times(pair.new)}
            for pair in difference.moved
        ],
    }


def _alerts(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    return [{**_alert(alert), **_times(alert)} for alert in alerts]


def _alert(alert: Alert) -> dict[str, Any]:
    return {"rule": alert.rule, "kind": alert.entity.kind, "entity": alert.entity.id}


def _times(alert: Alert) -> dict[str, Any]:
    hidden = [
        {"from": hidden.since, "to": hidden.until, "reason": hidden.by.reason} for hidden in alert.hidden
    ]
    return {"begin": alert.begin, "end": alert.end, **({"suppressed": hidden} if hidden else {})}
