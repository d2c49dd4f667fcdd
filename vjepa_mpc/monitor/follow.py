"""Following a run on-line: which phase of the course it is in, how fast it goes on, and whether it left the order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.course import Course, step_on

WINDOW = 7  # pictures in which another place of the course has to explain more
MEMORY = 25  # pictures of which the phases are remembered, more than pace looks back


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run is.

    Attributes:
        phase: in the order of the course.
        elsewhere: the phase that explains the last pictures best, whatever came before.
        gain: nats a picture that being elsewhere explains more.
        distance: nats a picture that even there are not explained.
    """

    phase: int
    elsewhere: int
    gain: float
    distance: float


class Follower:
    """Goes along a course with a live run. It never goes back by itself, and never looks ahead.

    Args:
        course: to follow.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._best = 0.6 * np.arange(len(course), dtype=float)
        self._begun = False
        self._recent: deque[np.ndarray] = deque(maxlen=WINDOW)
        self._paid: deque[float] = deque(maxlen=WINDOW)
        self.phases: deque[float] = deque(maxlen=MEMORY)

    def update(self, features: np.ndarray, periods: int = 1) -> Place:
        """Take in one picture's features [F], so many periods after the last one."""
        costs = self._course.costs(features[None])[0]
        for _ in range(periods if self._begun else 0):
            self._best = step_on(self._best)[0]
        self._begun = True
        self._best = self._best + costs
        self._best -= self._best.min()
        phase = int(self._best.argmin())
        self.phases.extend([self._middle()] * periods)
        self._recent.append(costs)
        self._paid.append(float(costs[phase]))
        free = self._anywhere()
        elsewhere, count = int(free.argmin()), len(self._recent)
        explained = float(free[elsewhere]) / count
        gain = float(sum(self._paid)) / count - explained if count == WINDOW else 0.0
        return Place(phase=phase, elsewhere=elsewhere, gain=max(0.0, gain), distance=explained)

    def jump(self) -> None:
        """Go on from where the last pictures are explained best."""
        self._best = self._anywhere()
        self._best -= self._best.min()
        self.phases.clear()
        self.phases.append(self._middle())
        self._recent.clear()
        self._paid.clear()

    def _middle(self) -> float:
        """The phase to be expected from all that are likely: it moves on evenly where the likeliest one jumps."""
        likely = np.exp(-self._best)
        return float((likely * np.arange(len(likely))).sum() / likely.sum())

    def _anywhere(self) -> np.ndarray:
        """Costs [P] of the last pictures for ways that begin at any phase."""
        best = self._recent[0]
        for costs in list(self._recent)[1:]:
            best = step_on(best)[0] + costs
        return best
