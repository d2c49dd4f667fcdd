"""Stamps at equal steps of time, and where a recording has holes."""

from __future__ import annotations

import numpy as np

# Frames further apart than this from the wanted step are no successive frames: the recording has a hole there.
_STEP_TOLERANCE = 0.5


def sample_stamps(stamps: np.ndarray, seconds: float) -> np.ndarray:
    """The frames nearest to times ``seconds`` apart, from the first frame on, each once."""
    if len(stamps) == 0:
        return stamps
    wanted = np.arange(stamps[0], stamps[-1] + seconds / 2, seconds)
    after = np.searchsorted(stamps, wanted).clip(1, max(1, len(stamps) - 1))
    if len(stamps) == 1:
        return stamps
    nearest = np.where(wanted - stamps[after - 1] <= stamps[after] - wanted, after - 1, after)
    return stamps[np.unique(nearest)]


def clip_starts(stamps: np.ndarray, frames: int, seconds: float) -> np.ndarray:
    """First frames of all clips without a hole in time."""
    steps = np.abs(np.diff(stamps) - seconds) <= _STEP_TOLERANCE * seconds
    if len(steps) < frames - 1:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.lib.stride_tricks.sliding_window_view(steps, frames - 1).all(axis=1))
