"""How long a plan may take, and how long its parts take."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Protocol

import torch

Clock = Callable[[], float]


class Budget(Protocol):
    """Says whether there is time for more predictions."""

    def allows(self, candidates: int, reserve: int = 0) -> bool:
        """Whether so many candidates may be predicted now, and ``reserve`` more after them.

        Whoever may is taken to begin at once.
        """
        ...


class Unlimited:
    """A :class:`Budget` without end, which never waits for the device."""

    def allows(self, candidates: int, reserve: int = 0) -> bool:
        """Yes."""
        return True


class Pace:
    """Remembers how long micro-batches of each size took, so that the next one's time is known beforehand."""

    def __init__(self, remembered: int = 20) -> None:
        self._seconds: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=remembered))

    def record(self, candidates: int, seconds: float) -> None:
        """A micro-batch of so many candidates took so long, with everything around it."""
        self._seconds[candidates].append(seconds)

    def predict(self, candidates: int) -> float:
        """Seconds that a micro-batch may take: the longest time of late; 0 while nothing has been measured."""
        if candidates in self._seconds:
            return max(self._seconds[candidates])
        larger = [size for size in self._seconds if size > candidates]
        if larger:
            return max(self._seconds[min(larger)])
        if self._seconds:
            size = max(self._seconds)
            return max(self._seconds[size]) * candidates / size
        return 0.0


class Deadline:
    """A :class:`Budget` that ends at a time; to know the time it waits for the device before each micro-batch.

    Args:
        end: on the clock.
        pace: measured times, which this adds to.
        clock: seconds, monotonic.
        device: what computes the predictions.
    """

    def __init__(self, end: float, pace: Pace, device: torch.device, clock: Clock = time.perf_counter) -> None:
        self._end, self._pace, self._device, self._clock = end, pace, device, clock
        self._running: tuple[int, float] | None = None

    def allows(self, candidates: int, reserve: int = 0) -> bool:
        """Whether so many candidates, and the reserve, are likely to be predicted before the end."""
        self._settle()
        now = self._clock()
        needed = self._pace.predict(candidates) + (self._pace.predict(reserve) if reserve else 0.0)
        if now + needed > self._end:
            return False
        self._running = (candidates, now)
        return True

    def _settle(self) -> None:
        """Wait for what runs and note how long it took."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        if self._running is not None:
            candidates, since = self._running
            self._pace.record(candidates, self._clock() - since)
            self._running = None
