"""Energy and distance over time, with the boundaries of sub-goals."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.dashboard.seen import Pose, Status

KEPT = 600  # planned steps
_BAND = 2  # bands alternate between sub-goals


@dataclass(frozen=True)
class _Sample:
    at: float
    energy: float
    expected: float
    distance: float
    sub_goal: int


@dataclass(frozen=True, eq=False)
class Series:
    """What is plotted, all [K]: time in seconds, energies, distance in centimetres, and 0 or 1 by sub-goal in turn."""

    at: np.ndarray
    energy: np.ndarray
    expected: np.ndarray
    distance: np.ndarray
    band: np.ndarray


class History:
    """One sample for each planned step of the present goal, and of the ones before while there is room.

    The distance is how far the hand is from where it was when the goal's first step was planned. Threads: one adds,
    any may read `series`.
    """

    def __init__(self) -> None:
        self._samples: tuple[_Sample, ...] = ()
        self._recent: deque[_Sample] = deque(maxlen=KEPT)
        self._last = (0, -1, 0)
        self._changes = 0
        self._goal_id = 0
        self._start: np.ndarray | None = None
        self._began: float | None = None

    def note(self, status: Status, pose: Pose | None) -> None:
        """Take a status in; only a new step adds a sample."""
        step = (status.goal_id, status.sub_goal, status.step)
        if not status.step or step == self._last or not math.isfinite(status.energy):
            return
        if step[:2] != self._last[:2]:
            self._changes += 1
        if status.goal_id != self._goal_id or self._start is None:
            self._goal_id, self._start = status.goal_id, None if pose is None else pose.position
        self._last = step
        self._began = status.received if self._began is None else self._began
        known = pose is not None and self._start is not None
        distance = 100.0 * float(np.linalg.norm(pose.position - self._start)) if known else math.nan  # type: ignore[union-attr, operator]
        at = status.received - self._began
        self._recent.append(_Sample(at, status.energy, status.expected, distance, self._changes))
        self._samples = tuple(self._recent)

    @property
    def newest(self) -> object:
        """Another object after each sample."""
        return self._samples

    @property
    def series(self) -> Series:
        """What there is to plot. At a boundary a sample stands twice, so that the band's edge is upright."""
        rows: list[tuple[float, ...]] = []
        before: _Sample | None = None
        for each in self._samples:
            if before is not None and before.sub_goal != each.sub_goal:
                rows.append((each.at, before.energy, before.expected, before.distance, before.sub_goal % _BAND))
            rows.append((each.at, each.energy, each.expected, each.distance, each.sub_goal % _BAND))
            before = each
        columns = np.array(rows or [(0.0, math.nan, math.nan, math.nan, 0.0)], dtype=np.float64).T
        return Series(*columns)
