"""A batch: samples that were committed together, in columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples committed at one time, all columns of one length; times in ms UTC."""

    committed_at: int
    robot: NDArray[np.int32]  # the robot's row in the roster
    epoch: Sequence[str]
    seq: NDArray[np.int64]
    t: NDArray[np.int64]  # event time
    values: Mapping[str, NDArray[np.float64]]  # by metric; NaN: not in that sample

    def __len__(self) -> int:
        return len(self.robot)


@dataclass(frozen=True, slots=True)
class Portion:
    """Samples of many commits, in order of commit; all columns of one length; times in ms UTC."""

    committed_at: NDArray[np.int64]
    robot: NDArray[np.int32]  # the robot's row in the roster
    epoch: NDArray[np.int32]  # a place in `epochs`
    epochs: Sequence[str]
    t: NDArray[np.int64]  # event time
    values: Mapping[str, NDArray[np.float64]]  # by metric; NaN: not in that sample

    def __len__(self) -> int:
        return len(self.robot)
