"""Windows, where a table says more than the oracle: steps, and what is known of a counter that appears."""

import numpy as np
import pytest

from rules.windows import CounterWindow, Latest, Samples, step_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("interval", "over", "step"),
    [
        (30_000, 3_600_000, 30_000),
        (60_000, 6 * 3_600_000, 60_000),
        (30_000, 6 * 3_600_000, 60_000),
        (300_000, 7 * 86_400_000, 2_400_000),
        (60_000, 10_000, 60_000),
    ],
)
def test_steps(interval: int, over: int, step: int) -> None:
    """The interval, doubled until at most 360 of them make the window."""
    assert step_of(interval, over) == step


@pytest.mark.parametrize(
    ("values", "increase", "covered"),
    [
        ([4, 4, 5, 9], 5, True),
        ([NAN, NAN, 5, 9], 9, False),
        ([NAN, NAN, NAN, 9], 9, False),
        ([4, NAN, NAN, 9], 5, True),
        ([4, 4, 5, NAN], NAN, True),
        ([4, 9, 3, 4], 0, True),
    ],
)
def test_what_is_known_of_a_counter(values: list[float], increase: float, covered: bool) -> None:
    """Of four samples, the first before the window: what appears was at zero, and a fall is no rise."""
    window, latest = CounterWindow(10, 30, [0], 1), Latest(1, 0, 1)
    window.advance(40)
    samples = Samples(
        row=np.zeros(4, dtype=np.intp),
        t=np.array([8, 20, 30, 40]),
        epoch=np.zeros(4, dtype=np.int32),
        counters=np.array(values)[:, None],
        gauges=np.empty((4, 0)),
    )
    latest.take(samples)
    window.take(samples)
    increases, known = window.increases(latest)
    assert increases[0, 0] == pytest.approx(increase, nan_ok=True)
    assert bool(known[0, 0]) is covered
