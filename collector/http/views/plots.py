"""What a plot shows, computed: the counters of a robot, and what a rule makes of them as time goes on.

A rule compares an increase over a sliding window. `rolling` computes the same from increases per step, so
that the plotted line and the limit beside it are on one scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from typing import Any, Final

from rules.rule import Gauge, Increase, Ratio

Rolling = Increase | Ratio | Gauge  # measures of a window that slides
Values = Sequence[float | None]
STEPS_MS: Final = tuple(
    s * 1_000 for s in (10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 86_400)
)
_POINTS: Final = 240


@dataclass(frozen=True, slots=True)
class Line:
    """One line or row of bars; one with `tone` has the colour of the alert's severity."""

    label: str
    unit: str
    values: Values
    kind: str = "line"
    tone: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: times in ms, lines over them, the span of the alert and its limits."""

    times: Sequence[int]
    lines: Sequence[Line]
    zone: tzinfo
    limits: tuple[float, ...] = ()
    span: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """As `plots.js` reads it, with times in seconds."""
        return {
            "times": [time / 1_000 for time in self.times],
            "series": [asdict(line) for line in self.lines],
            "limits": self.limits,
            "span": None if self.span is None else [at / 1_000 for at in self.span],
            "zone": str(self.zone),
        }


def step_for(span_ms: int, over_ms: int | None = None, points: int = _POINTS) -> int:
    """The finest step that makes no more points than a plot can show, and divides the window."""
    fitting = [step for step in STEPS_MS if span_ms <= step * points] or [STEPS_MS[-1]]
    if over_ms is None:
        return fitting[0]
    return next((step for step in fitting if over_ms % step == 0), min(fitting[0], over_ms))


def rolling(measure: Rolling, values: Mapping[str, Values], step_ms: int) -> list[float | None]:
    """The measure at the end of every step, from increases (of a gauge: means) per step."""
    window = max(round(measure.over_ms / step_ms), 1)
    match measure:
        case Increase(metrics):
            return _windowed(_summed(values, metrics), window)
        case Ratio(of, to, _, min_samples):
            parts = _windowed(_summed(values, of), window)
            wholes = _windowed(_summed(values, to), window)
            return [_fraction(part, whole, min_samples) for part, whole in zip(parts, wholes, strict=True)]
        case Gauge(metric):
            return list(values[metric])


def daily(
    times: Sequence[int], values: Mapping[str, Values], metrics: Sequence[str], zone: tzinfo
) -> tuple[list[int], list[float | None]]:
    """Increases per step summed over metrics and local days; a day is where it begins in the data."""
    days: dict[date, list[float | None]] = {}
    starts: dict[date, int] = {}
    for time, value in zip(times, _summed(values, metrics), strict=True):
        day = datetime.fromtimestamp(time / 1_000, zone).date()
        starts.setdefault(day, time)
        days.setdefault(day, []).append(value)
    return list(starts.values()), [_total(found) for found in days.values()]


def earlier(times: Sequence[int], values: Values, since: int, by_ms: int) -> list[float | None]:
    """What was so long before each of the times from `since` on."""
    known = dict(zip(times, values, strict=True))
    return [known.get(time - by_ms) for time in times if time >= since]


def _summed(values: Mapping[str, Values], metrics: Sequence[str]) -> list[float | None]:
    columns = zip(*(values[metric] for metric in metrics), strict=True)
    return [_total(column) for column in columns]


def _windowed(values: Values, window: int) -> list[float | None]:
    return [_total(values[max(0, at + 1 - window) : at + 1]) for at in range(len(values))]


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _fraction(part: float | None, whole: float | None, min_samples: float) -> float | None:
    if part is None or whole is None or whole < max(min_samples, 1e-9):
        return None
    return part / whole
