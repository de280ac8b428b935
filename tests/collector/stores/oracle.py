"""What `series` answers with a step, reckoned slowly from all samples at once."""

from collections.abc import Iterable, Sequence

from collector.stores import StoredSample


def increases(
    samples: Iterable[StoredSample], name: str, times: Sequence[int], step: int
) -> list[float | None]:
    """A counter's increase in each step; None where no sample but the first of an epoch lies.

    A sample that lacks a counter has it where it was, at first at zero.
    """
    found: dict[int, float] = {}
    epochs: dict[str, list[StoredSample]] = {}
    for sample in samples:
        epochs.setdefault(sample.epoch, []).append(sample)
    for own in epochs.values():
        first = min(own, key=lambda sample: sample.seq)
        level = first.counters.get(name, 0)
        for sample in sorted(own, key=lambda sample: (sample.t, sample.seq)):
            if sample is not first:
                begin = sample.t - sample.t % step
                value = sample.counters.get(name, level)
                found[begin] = found.get(begin, 0.0) + max(0, value - level)
                level = max(level, value)
    return [found.get(time) for time in times]


def means(samples: Iterable[StoredSample], name: str, times: Sequence[int], step: int) -> list[float | None]:
    """A gauge's mean in each step."""
    values: dict[int, list[float]] = {}
    for sample in samples:
        if name in sample.gauges:
            values.setdefault(sample.t - sample.t % step, []).append(sample.gauges[name])
    return [sum(values[time]) / len(values[time]) if time in values else None for time in times]
