"""How regularly something happens, and how plans keep their time."""

from __future__ import annotations

from collections import deque

import numpy as np

from vjepa_mpc.controller.step import Step


class PeriodMeter:
    """The intervals of the last minute or so, for diagnostics."""

    def __init__(self, nominal: float) -> None:
        self._nominal = nominal
        self._last: float | None = None
        self._intervals: deque[float] = deque(maxlen=3000)

    def tick(self, now: float) -> None:
        """Note that it happened, in steady seconds."""
        if self._last is not None:
            self._intervals.append(now - self._last)
        self._last = now

    def summary(self) -> dict[str, str]:
        """Nominal, median, 99th percentile and longest interval in milliseconds."""
        if not self._intervals:
            return {}
        intervals = 1e3 * np.array(self._intervals)
        median, p99 = np.percentile(intervals, [50, 99])
        return {
            "period nominal [ms]": f"{1e3 * self._nominal:.1f}",
            "period median [ms]": f"{median:.1f}",
            "period p99 [ms]": f"{p99:.1f}",
            "period max [ms]": f"{intervals.max():.1f}",
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
