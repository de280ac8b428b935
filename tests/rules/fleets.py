"""Small recordings for tests: robots whose counters are told minute by minute."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rules.recording import Header, Writer
from rules.roster import Robot

MINUTE = 60_000
BEGIN = 1_789_948_800_000  # 2026-09-21 00:00 UTC, a Monday
COUNTERS = ("network.disconnects", "vision.face_attempts", "vision.faces_unrecognized", "nlp.queries")
GAUGES = ("system.battery_percent",)
Series = Mapping[str, Sequence[float]]  # by metric: cumulative, one a minute; NaN: not in the sample


def record(
    path: Path, robots: Mapping[str, Series], attributes: Mapping[str, Mapping[str, str]] | None = None
) -> Path:
    """Writes a recording, committed a second late; a minute without any value is no sample."""
    given = attributes or {}
    with Writer(path, counters=COUNTERS, gauges=GAUGES) as writer:
        length = 0
        for robot, series in robots.items():
            columns = {name: np.array(values, dtype=np.float64) for name, values in series.items()}
            steps = len(next(iter(columns.values())))
            there = np.flatnonzero(~np.all([np.isnan(column) for column in columns.values()], axis=0))
            t = BEGIN + there.astype(np.int64) * MINUTE
            length = max(length, steps)
            fixed = {
                "robot": np.array([robot] * len(t)),
                "epoch": np.array(["e"] * len(t)),
                "seq": there.astype(np.int64) + 1,
                "t": t,
                "robot_t": t,
                "received_at": t,
                "committed_at": t + 1_000,
                "up": t,
                "boot": np.array(["b"] * len(t)),
                "synced": np.ones(len(t), dtype=np.bool_),
                "corrected": np.zeros(len(t), dtype=np.bool_),
            }
            writer.write({**fixed, **{name: column[there] for name, column in columns.items()}})
        listening = ((BEGIN, BEGIN + length * MINUTE),)
        members = tuple(Robot(robot, dict(given.get(robot, {}))) for robot in robots)
        writer.finish(Header(listening, members))
    return path


def rising(*bursts: tuple[int, int], length: int) -> list[float]:
    """A counter of so many minutes that rises by `by` at each (minute, by)."""
    steps = np.zeros(length)
    for minute, by in bursts:
        steps[minute] += by
    return list(np.cumsum(steps))


RULES = """\
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: g
  interval: 1m
  rules:
  - alert: Drops
    about: {en: It drops off, zh: 掉线}
    for_each: robot
    when: {increase: network.disconnects, over: 1h, is: at least LIMIT}
    labels: {severity: high, subsystem: network}
    summary: {en: "{robot} {value}", zh: "{robot} {value}"}
  - alert: Faces
    about: {en: Faces, zh: 人脸}
    for_each: robot
    when:
      ratio: {of: vision.faces_unrecognized, to: vision.face_attempts, over: 1h, min_samples: 10}
      is: above 50%
    clear_when: {is: below 20%}
    labels: {severity: low, subsystem: vision}
    summary: {en: "{robot} {value}", zh: "{robot} {value}"}
"""


def rules(folder: Path, limit: int = 3) -> Path:
    """A folder with two rules."""
    folder.mkdir(exist_ok=True)
    (folder / "rules.yaml").write_text(RULES.replace("LIMIT", str(limit)), encoding="utf-8")
    return folder
