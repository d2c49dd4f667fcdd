"""How regularly something happens."""

from __future__ import annotations

from collections import deque

import numpy as np


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
