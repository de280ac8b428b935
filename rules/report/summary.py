"""The report in a few lines of text."""

from collections.abc import Iterator
from pathlib import Path

from rules.report import Report
from rules.rule import duration


def lines(report: Report, folder: Path) -> Iterator[str]:
    """What a terminal shows; `folder` has the rest."""
    subject, figures = report.subject, report.figures
    of = f"{subject.robots} robots, {subject.time.days:.1f} days, {subject.samples} samples"
    yield f"{subject.recording}: {of}"
    yield (
        f"{figures.alerts} alerts: {figures.open} open at the end, {figures.standing} stood over 24 h, "
        f"{figures.flapping} reopened within a day, {figures.never_shown} suppressed all the time"
    )
    load = figures.all
    yield f"a robot and week: p50 {load.p50:g}, p95 {load.p95:g}, most {load.max}{_top(report)}"
    yield from _scores(report)
    yield from _difference(report)
    for rule, (message, count) in report.errors.items():
        yield f"{rule} failed at {count} evaluations: {message}"
    for metric, rules in subject.unseen.items():
        yield f"the recording has no {metric}; {', '.join(rules)} cannot see it"
    yield f"see {folder / 'report.html'}"


def _top(report: Report) -> str:
    share = report.figures.top_share
    return "" if share is None else f"; the five robots with most have {100 * share:.0f} %"


def _scores(report: Report) -> Iterator[str]:
    scores = report.scores
    if scores is None:
        return
    yield (
        f"labels (by {scores.matched_by}): {scores.seen} of {scores.labels} faults seen, "
        f"{scores.true} of {scores.alerts} alerts had a fault"
    )
    for fault in scores.faults:
        if fault.seen < fault.faults:
            yield f"  {fault.fault}: {fault.seen} of {fault.faults} seen"
    for rule in scores.rules:
        if rule.true < rule.alerts:
            yield f"  {rule.rule}: {rule.alerts - rule.true} of {rule.alerts} alerts without a fault"


def _difference(report: Report) -> Iterator[str]:
    difference = report.difference
    if difference is None:
        return
    changes = (
        f"{len(difference.only_new)} only now, {len(difference.only_old)} only before, "
        f"{len(difference.moved)} at another time"
    )
    yield f"against {report.subject.old_rules}: {difference.same} the same, {changes}"
    for word, alerts in (("only now", difference.only_new), ("only before", difference.only_old)):
        counts: dict[str, int] = {}
        for alert in alerts:
            counts[alert.rule] = counts.get(alert.rule, 0) + 1
        if counts:
            yield f"  {word}: {', '.join(f'{rule} {count}' for rule, count in counts.items())}"
    for pair in difference.moved[:5]:
        later = pair.new.begin - pair.old.begin
        if later:
            how = f"{duration(abs(later))} {'later' if later > 0 else 'earlier'}"
            yield f"  {pair.new.rule} on {pair.new.entity.id}: {how}"
