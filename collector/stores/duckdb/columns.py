"""Records as NumPy columns, the way DuckDB takes many rows at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.stores import MISSING, Commit, Loss, Rows
from collector.stores.numbers import format_numbers

Columns = dict[str, NDArray[Any]]


def sample_columns(rows: Rows, committed_at: int) -> Columns:
    """Samples with their commit time; metrics that a sample lacks are masked, those that all lack absent."""
    columns: Columns = {
        "robot": _texts(rows.robot),
        "epoch": _texts(rows.epoch),
        "seq": rows.seq,
        "t": rows.t,
        "robot_t": rows.robot_t,
        "received_at": rows.received_at,
        "committed_at": _repeated(committed_at, len(rows)),
        "up": rows.up,
        "boot": _texts(rows.boot),
        "synced": rows.synced,
        "corrected": rows.corrected,
    }
    missing = {name: column == MISSING for name, column in rows.counters.items()}
    missing |= {name: np.isnan(column) for name, column in rows.gauges.items()}
    for name, column in (*rows.counters.items(), *rows.gauges.items()):
        absent = np.count_nonzero(missing[name])
        if absent < len(rows):  # masks cost: most columns need none
            columns[name] = np.ma.masked_array(column, mask=missing[name]) if absent else column
    return columns


def loss_columns(losses: Sequence[Loss]) -> Columns:
    """Losses, one a row."""
    return {
        "robot": _texts([loss.robot for loss in losses]),
        "epoch": _texts([loss.epoch for loss in losses]),
        "first": _integers([loss.first for loss in losses]),
        "last": _integers([loss.last for loss in losses]),
        "count": _integers([loss.count for loss in losses]),
        "reason": _texts([loss.reason for loss in losses]),
        "declared_at": _integers([loss.at for loss in losses]),
    }


def watermark_columns(commit: Commit) -> Columns:
    """The watermarks after a commit, with the newest sample of each epoch in it (0: none)."""
    newest = _newest(commit.rows)
    keys, marks = list(commit.watermarks), list(commit.watermarks.values())
    return {
        "robot": _texts([robot for robot, _ in keys]),
        "epoch": _texts([epoch for _, epoch in keys]),
        "until": _integers([mark.until for mark in marks]),
        "above": _texts([format_numbers(mark.above) if mark.above else "" for mark in marks]),
        "newest": _integers([newest.get(key, 0) for key in keys]),
        "newest_at": _repeated(commit.at, len(marks)),
    }


def _newest(rows: Rows) -> dict[tuple[str, str], int]:
    """The highest number of each epoch."""
    keys = list(zip(rows.robot, rows.epoch, strict=True))
    newest = dict(zip(keys, rows.seq.tolist(), strict=True))
    if len(newest) < len(keys):  # of pairs in rising order, a dictionary keeps the highest
        order = np.argsort(rows.seq, kind="stable").tolist()
        newest = {keys[at]: int(rows.seq[at]) for at in order}
    return newest


def _texts(values: Sequence[str]) -> NDArray[Any]:
    return np.array(values, dtype=object)


def _integers(values: Sequence[int]) -> NDArray[Any]:
    return np.array(values, dtype=np.int64)


def _repeated(value: int, count: int) -> NDArray[Any]:
    return np.full(count, value, dtype=np.int64)
