"""The report as one HTML page that needs nothing beside it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rules.alerts import Alert
from rules.report import Report, plots
from rules.rule import duration

LISTED = 200  # alerts of a list on the page; report.json has all


def render(report: Report) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(time=_time, percent=_percent, number=_number, lasted=_lasted, count=_count)
    drawn = {name: Markup(svg) for name, svg in _plots(report).items()}  # noqa: S704 -- texts in it are escaped
    template = environment.get_template("report.html")
    return template.render(report=report, plots=drawn, listed=LISTED, until=_until)


def _plots(report: Report) -> dict[str, str]:
    figures = report.figures
    drawn = {"days": plots.days(figures.per_day), "histogram": plots.histogram(figures.all.histogram)}
    if report.scores is not None:
        seen = [
            (score.fault, score.delays.p50, score.delays.p95)
            for score in report.scores.faults
            if score.delays.p50 is not None and score.delays.p95 is not None
        ]
        drawn["delays"] = plots.delays(seen) if seen else ""
    return drawn


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _until(alert: Alert) -> str:
    return "still fires" if alert.end is None else f"until {_time(alert.end)}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}"


def _count(value: int) -> str:
    return f"{value:,}"


def _lasted(ms: float | None) -> str:
    """To the minute; to the second below one."""
    if ms is None:
        return "–"
    unit = 60_000 if ms >= 60_000 else 1_000
    return duration(round(ms / unit) * unit)
