"""How regularly something happens, and how plans keep their time."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

import numpy as np

from vjepa_mpc.controller.step import Step

LATENESS_BOUNDS = (1, 2, 5, 10, 20, 50)  # milliseconds


class PeriodMeter:
    """The intervals of the last minute or so, and how late they all were, for diagnostics."""

    def __init__(self, nominal: float) -> None:
        self._nominal = nominal
        self._last: float | None = None
        self._intervals: deque[float] = deque(maxlen=3000)
        self._late = [0] * (len(LATENESS_BOUNDS) + 1)  # by the bound that was kept; the last: none was

    def tick(self, now: float) -> None:
        """Note that it happened, in steady seconds."""
        if self._last is not None:
            interval = now - self._last
            self._intervals.append(interval)
            self._late[bisect_left(LATENESS_BOUNDS, 1e3 * (interval - self._nominal))] += 1
        self._last = now

    def summary(self) -> dict[str, str]:
        """Intervals of the last minute or so in milliseconds, and the histogram of how late those since the start were.

        The histogram's entries are how many were late by no more than each bound, and by more than the bound before.
        """
        if not self._intervals:
            return {}
        intervals = 1e3 * np.array(self._intervals)
        median, p99 = np.percentile(intervals, [50, 99])
        names = (*(f"{bound} ms" for bound in LATENESS_BOUNDS), "more")
        return {
            "period nominal [ms]": f"{1e3 * self._nominal:.1f}",
            "period median [ms]": f"{median:.1f}",
            "period p99 [ms]": f"{p99:.1f}",
            "period max [ms]": f"{intervals.max():.1f}",
            "periods late by up to": ", ".join(f"{name}: {n}" for name, n in zip(names, self._late, strict=True)),
        }


class TimeBudgetMeter:
    """Counts plans by what the planner's time budget did to them, for diagnostics."""

    def __init__(self) -> None:
        self._missed = self._cut_short = self._without_iteration = 0

    def note(self, step: Step) -> None:
        """A step has been proposed; those without a plan are not counted."""
        plan = step.plan
        if plan is None:
            return
        self._missed += step.missed_time_budget
        self._cut_short += plan.stopped_by == "deadline"
        self._without_iteration += not plan.energies

    def summary(self) -> dict[str, str]:
        """How many plans came too late, how many ended early to be in time, and how many of these found nothing."""
        return {
            "planner deadline misses": str(self._missed),
            "plans cut short by the deadline": str(self._cut_short),
            "plans without an iteration": str(self._without_iteration),
        }
