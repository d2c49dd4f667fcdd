"""How long a plan may take, and how long its parts take."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Protocol

import torch

Clock = Callable[[], float]

# Shares of a plan's time: what ends so much late still counts as in time, and the most that is given up to be so.
TOLERATED_OVERRUN, _MOST_MARGIN = 0.05, 0.2


class Budget(Protocol):
    """Says how many predictions there is time for."""

    def grant(self, candidates: int, reserve: int = 0) -> int:
        """How many of so many candidates may be predicted now, when ``reserve`` more shall follow them; 0 for none.

        Whoever is granted some is taken to begin at once.
        """
        ...

    def candidates_left(self, micro_batch: int) -> float:
        """About how many candidates, in micro-batches of that size, there is time for; infinity while not known."""
        ...

    def finish(self) -> None:
        """The plan is ready to be returned."""
        ...


class Unlimited:
    """A :class:`Budget` without end, which never waits for the device."""

    def grant(self, candidates: int, reserve: int = 0) -> int:
        """All of them."""
        return candidates

    def candidates_left(self, micro_batch: int) -> float:
        """Infinitely many."""
        return math.inf

    def finish(self) -> None:
        """Nothing to note."""


class Pace:
    """Remembers how long micro-batches of each size took, so that the next one's time is known beforehand."""

    def __init__(self, remembered: int = 20, remembered_plans: int = 200) -> None:
        self._seconds: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=remembered))
        self._delays: deque[float] = deque(maxlen=remembered_plans)

    def record(self, candidates: int, seconds: float) -> None:
        """A micro-batch of so many candidates took so long, with everything around it."""
        self._seconds[candidates].append(seconds)

    def predict(self, candidates: int) -> float:
        """Seconds that a micro-batch may take: the longest time of late; 0 while nothing has been measured."""
        measured = [size for size, seconds in self._seconds.items() if seconds]
        if not measured:
            return 0.0
        nearest = min(measured, key=lambda size: abs(math.log(size / candidates)))
        return max(self._seconds[nearest]) * candidates / nearest

    def record_delay(self, seconds: float) -> None:
        """A plan was ready so much later than it was meant to be."""
        self._delays.append(max(0.0, seconds))

    @property
    def delay(self) -> float:
        """Seconds by which one in a hundred plans was late: what other programs took at the last moment."""
        delays = sorted(self._delays)
        return delays[math.ceil(0.99 * len(delays)) - 1] if delays else 0.0

    def fade(self) -> None:
        """Forget the longest time of each size: what is not tried again because it once was slow must not last."""
        for seconds in self._seconds.values():
            if seconds:
                seconds.remove(max(seconds))


class Deadline:
    """A :class:`Budget` that ends in time; to know the time it waits for the device before each micro-batch.

    Where other programs interrupt the last predictions, plans end earlier: so much, and up to a fifth of their time,
    that no more than one in a hundred is late by more than a twentieth.

    Args:
        started: when the plan began, on the clock.
        seconds: that it may take.
        pace: measured times, which this adds to.
        device: what computes the predictions.
        clock: seconds, monotonic.
    """

    def __init__(
        self, started: float, seconds: float, pace: Pace, device: torch.device, clock: Clock = time.perf_counter
    ) -> None:
        margin = min(max(0.0, pace.delay - TOLERATED_OVERRUN * seconds), _MOST_MARGIN * seconds)
        self._end = started + seconds - margin
        self._pace, self._device, self._clock = pace, device, clock
        self._running: tuple[int, float] | None = None

    def grant(self, candidates: int, reserve: int = 0) -> int:
        """All, half or a quarter of them: what is likely to be predicted before the end, reserve included.

        The last ones before the end are a quarter, so that a delay just then is a small one; and there are no other
        parts, so that the sizes whose time must be learnt stay few.
        """
        now = self._settle()
        left = self._end - now - (self._pace.predict(reserve) if reserve else 0.0)
        for granted, room in ((candidates, 2), (candidates // 2, 2), (max(1, candidates // 4), 1)):
            if granted and left > 0.0 and room * self._pace.predict(granted) <= left:
                self._running = (granted, now)
                return granted
        return 0

    def candidates_left(self, micro_batch: int) -> float:
        """See :class:`Budget`."""
        seconds = self._pace.predict(micro_batch)
        return (self._end - self._settle()) / seconds * micro_batch if seconds else math.inf

    def finish(self) -> None:
        """See :class:`Budget`."""
        self._pace.record_delay(self._settle() - self._end)

    def _settle(self) -> float:
        """Wait for what runs and note how long it took; returns the time."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = self._clock()
        if self._running is not None:
            candidates, since = self._running
            self._pace.record(candidates, now - since)
            self._running = None
        return now
