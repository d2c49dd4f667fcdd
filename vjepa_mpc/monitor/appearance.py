"""Does each part of the picture look as it did at this moment of normal runs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

AROUND = 2  # phases before and after that a patch may look like
_EMPTY = 0.3  # of the distance to what should be there: that near to the background is empty
_FLOOR = 0.25  # of the usual standard deviation: how sure a patch that never varies may be


@dataclass(frozen=True, kw_only=True, eq=False)
class Channel:
    """One way to look at patches, such as their latents or their colours.

    Attributes:
        bank: float32 [P, N, R, K] what each of R runs looked like in each phase.
        lengths: float32 [P, N, R] squared lengths of these.
        empty: [N, K] what each patch looks like when nothing is there.
        usual: [P, N] distance of a normal run to the nearest other one.
        spread: [P, N] its standard deviation.
    """

    bank: np.ndarray
    lengths: np.ndarray
    empty: np.ndarray
    usual: np.ndarray
    spread: np.ndarray

    def distance(self, patches: np.ndarray, phase: int, without: int | None = None) -> np.ndarray:
        """Distance [N] of patches [N, K] to the nearest run around a phase; ``without`` one of the runs."""
        near = slice(max(0, phase - AROUND), phase + AROUND + 1)
        products = np.matmul(self.bank[near], patches[..., None])[..., 0]
        squares = self.lengths[near] - 2.0 * products + (patches**2).sum(axis=-1)[:, None]
        if without is not None:
            squares[..., without] = np.inf
        return np.sqrt(np.maximum(squares.min(axis=(0, 2)), 0.0))

    def oddness(self, patches: np.ndarray, phase: int) -> np.ndarray:
        """How odd patches [N, K] look in a phase: [N] standard deviations."""
        return (self.distance(patches, phase) - self.usual[phase]) / self.spread[phase]

    def emptied(self, patches: np.ndarray, phase: int) -> np.ndarray:
        """Where something should be in a phase, and patches [N, K] look as if nothing were there: bool [N]."""
        expected = np.linalg.norm(self.bank[phase] - self.empty[:, None], axis=-1).min(axis=-1)
        now = np.linalg.norm(patches - self.empty, axis=-1)
        sure = expected > 2.0 * (self.usual[phase] + 3.0 * self.spread[phase])
        return sure & (now < _EMPTY * expected)


def fit_channel(runs: Sequence[np.ndarray], warped: Sequence[np.ndarray], phases: Sequence[np.ndarray]) -> Channel:
    """From runs.

    Args:
        runs: patches [T, N, K] of each run.
        warped: the same, [P, N, K], one a phase.
        phases: [T] of each run, as following finds them.
    """
    bank = np.ascontiguousarray(np.stack(warped).transpose(1, 2, 0, 3), dtype=np.float32)
    phases_count, tokens = bank.shape[:2]
    blank = np.zeros((phases_count, tokens), np.float32)
    channel = Channel(
        bank=bank, lengths=(bank**2).sum(axis=-1), empty=_background(bank), usual=blank, spread=blank + 1.0
    )
    count, total, squares = np.zeros(phases_count), blank.astype(float), blank.astype(float)
    for number, (run, places) in enumerate(zip(runs, phases, strict=True)):
        for patches, phase in zip(run, places, strict=True):
            distance = channel.distance(patches, phase, without=number)
            count[phase] += 1
            total[phase] += distance
            squares[phase] += distance**2
    return _calibrated(channel, count, total, squares)


def _background(bank: np.ndarray) -> np.ndarray:
    """[N, K] the middle of what each patch looks like over the whole course, in some of the runs."""
    some = bank[:, :, :: max(1, bank.shape[2] // 8)].transpose(0, 2, 1, 3)
    return np.median(some.reshape(-1, *bank.shape[1::2]), axis=0)


def _calibrated(channel: Channel, count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> Channel:
    """Mean and spread over neighbouring phases, as one phase alone was seen too seldom."""
    window = np.ones(2 * AROUND + 1)

    def smooth(values: np.ndarray) -> np.ndarray:
        return np.apply_along_axis(lambda row: np.convolve(row, window, mode="same"), 0, values)

    counts = np.maximum(smooth(count[:, None]), 1.0)
    usual = smooth(total) / counts
    spread = np.sqrt(np.maximum(smooth(squares) / counts - usual**2, 0.0))
    floor = _FLOOR * float(usual.mean()) + 1e-6
    return replace(channel, usual=usual.astype(np.float32), spread=np.maximum(spread, floor).astype(np.float32))


def top_of(patches: np.ndarray, side: int) -> tuple[float, int]:
    """The largest mean over 2 x 2 neighbouring patches of [N], and the patch at its upper left."""
    grid = patches.reshape(side, side)
    boxes = (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:]) / 4
    row, column = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return float(boxes[row, column]), int(row * side + column)
