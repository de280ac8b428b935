"""Records as NumPy columns, the way DuckDB takes many rows at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from agent.catalogue import Catalogue
from collector.stores import Commit, Loss, StoredSample
from collector.stores.numbers import format_numbers

Columns = dict[str, np.ndarray[Any, Any]]


def sample_columns(samples: Sequence[StoredSample], committed_at: int, catalogue: Catalogue) -> Columns:
    """Samples with their commit time; a metric that a sample does not have is masked."""
    columns: Columns = {
        "robot": _texts(s.robot for s in samples),
        "epoch": _texts(s.epoch for s in samples),
        "seq": _integers(s.seq for s in samples),
        "t": _integers(s.t for s in samples),
        "robot_t": _integers(s.robot_t for s in samples),
        "received_at": _integers(s.received_at for s in samples),
        "committed_at": np.full(len(samples), committed_at, dtype=np.int64),
        "up": _integers(s.up for s in samples),
        "boot": _texts(s.boot for s in samples),
        "synced": np.array([s.synced for s in samples], dtype=np.bool_),
        "corrected": np.array([s.corrected for s in samples], dtype=np.bool_),
    }
    counters, gauges = [s.counters for s in samples], [s.gauges for s in samples]
    columns |= {name: _metric(name, counters, np.int64) for name in catalogue.counters}
    columns |= {name: _metric(name, gauges, np.float64) for name in catalogue.gauges}
    return columns


def loss_columns(losses: Sequence[Loss]) -> Columns:
    """Losses, one a row."""
    return {
        "robot": _texts(loss.robot for loss in losses),
        "epoch": _texts(loss.epoch for loss in losses),
        "first": _integers(loss.first for loss in losses),
        "last": _integers(loss.last for loss in losses),
        "count": _integers(loss.count for loss in losses),
        "reason": _texts(loss.reason for loss in losses),
        "declared_at": _integers(loss.at for loss in losses),
    }


def watermark_columns(commit: Commit) -> Columns:
    """The watermarks after a commit, with the newest sample of each epoch in it (0: none)."""
    newest: dict[tuple[str, str], int] = {}
    for sample in commit.samples:
        key = (sample.robot, sample.epoch)
        newest[key] = max(sample.seq, newest.get(key, 0))
    marks = list(commit.watermarks.items())
    return {
        "robot": _texts(robot for (robot, _), _ in marks),
        "epoch": _texts(epoch for (_, epoch), _ in marks),
        "until": _integers(mark.until for _, mark in marks),
        "above": _texts(format_numbers(mark.above) for _, mark in marks),
        "newest": _integers(newest.get(key, 0) for key, _ in marks),
        "newest_at": np.full(len(marks), commit.at, dtype=np.int64),
    }


def _texts(values: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.array(list(values), dtype=object)


def _integers(values: Iterable[int]) -> np.ndarray[Any, Any]:
    return np.array(list(values), dtype=np.int64)


def _metric(
    name: str, samples: Sequence[Mapping[str, float]], kind: type[np.int64 | np.float64]
) -> np.ndarray[Any, Any]:
    values = [sample.get(name) for sample in samples]
    missing = [value is None for value in values]
    filled = np.array([value or 0 for value in values], dtype=kind)
    return np.ma.masked_array(filled, mask=missing)
