"""Plots of a report as SVG. Colours come from the page's style sheet, by class."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from rules.rule import SEVERITIES

WIDTH, HEIGHT = 720, 200
_LEFT, _BOTTOM, _TOP = 52, 24, 12


def days(counts: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Alerts that began on each day, stacked by severity."""
    most = max((sum(count.values()) for _, count in counts), default=0)
    scale = _Scale(_ceiling(most))
    slot = (WIDTH - _LEFT) / max(1, len(counts))
    shapes = [*scale.grid()]
    every = math.ceil(len(counts) / 8)
    for number, (day, count) in enumerate(counts):
        x, below = _LEFT + number * slot, 0
        for severity in reversed(SEVERITIES):
            if count.get(severity):
                box = scale.bar(x + slot * 0.1, slot * 0.8, below, count[severity])
                shapes.append(_titled(box, severity, f"{day}: {count[severity]} {severity}"))
                below += count[severity]
        if number % every == 0:
            shapes.append(_text(x + slot / 2, HEIGHT - 6, day[5:], "middle"))
    return _svg("Alerts that began, by day", shapes)


def histogram(counts: Sequence[int]) -> str:
    """In how many robot-weeks there were so many alerts, as shares; the last bar is `or more`."""
    total = sum(counts)
    scale = _Scale(100, "%")
    slot = (WIDTH - _LEFT) / max(1, len(counts))
    shapes = [*scale.grid()]
    for number, count in enumerate(counts):
        share = 100 * count / total
        x = _LEFT + number * slot
        label = f"{number}+" if number == 10 else str(number)
        what = f"{label} alerts: {count} robot-weeks ({share:.1f} %)"
        shapes.append(_titled(scale.bar(x + slot * 0.1, slot * 0.8, 0, share), "plain", what))
        shapes.append(_text(x + slot / 2, HEIGHT - 6, label, "middle"))
    return _svg("Robot-weeks by number of alerts", shapes)


def delays(rows: Sequence[tuple[str, float, float]]) -> str:
    """From p50 to p95 of the delay (in ms) of each kind of fault, on a scale of logarithms."""
    left, line = 260, 24
    height = line * len(rows) + _BOTTOM
    low, high = 60_000, max([86_400_000, *(p95 for _, _, p95 in rows)])

    def x(ms: float) -> float:
        share = math.log(max(ms, low) / low) / math.log(high / low)
        return left + share * (WIDTH - left - 20)

    shapes = []
    for label, ms in (
        ("1m", 60_000),
        ("10m", 600_000),
        ("1h", 3_600_000),
        ("6h", 21_600_000),
        ("1d", 86_400_000),
    ):
        shapes.append(
            f'<line class="grid" x1="{x(ms):.1f}" x2="{x(ms):.1f}" y1="0" y2="{height - _BOTTOM}"/>'
        )
        shapes.append(_text(x(ms), height - 6, label, "middle"))
    for number, (fault, p50, p95) in enumerate(rows):
        y = line * number + line / 2
        shapes.append(_text(left - 8, y + 4, fault, "end"))
        shapes.append(f'<line class="range" x1="{x(p50):.1f}" x2="{x(p95):.1f}" y1="{y}" y2="{y}"/>')
        shapes.append(
            _titled(
                f'circle cx="{x(p50):.1f}" cy="{y}" r="4"',
                "plain",
                f"{fault}: half within {p50 / 60_000:.0f} min",
            )
        )
    return _svg("Delay of detection by fault", shapes, height)


class _Scale:
    """Values from 0 to `top`, upwards."""

    def __init__(self, top: float, unit: str = "") -> None:
        self._top, self._unit = top, unit

    def grid(self) -> Iterator[str]:
        """Four lines and what they stand for."""
        for quarter in range(5):
            value = self._top * quarter / 4
            y = self._y(value)
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield _text(_LEFT - 6, y + 4, f"{value:g}{self._unit}", "end")

    def bar(self, x: float, width: float, below: float, value: float) -> str:
        """A bar that begins at `below`."""
        top, bottom = self._y(below + value), self._y(below)
        return f'rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}"'

    def _y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - value / self._top * (HEIGHT - _BOTTOM - _TOP)


def _ceiling(most: int) -> int:
    """A round number, a multiple of 4, that is not less."""
    step: int = 10 ** max(0, len(str(most)) - 2)
    return max(4, math.ceil(most / (4 * step)) * 4 * step)


def _titled(shape: str, class_: str, title: str) -> str:
    return f'<{shape} class="{class_}"><title>{escape(title)}</title></{shape.partition(" ")[0]}>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(label: str, shapes: Sequence[str], height: int = HEIGHT) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(shapes)}</svg>'
