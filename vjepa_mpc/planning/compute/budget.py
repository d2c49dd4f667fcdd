"""How long a plan may take, and how long its parts take."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Protocol

import torch

Clock = Callable[[], float]

TOLERATED_OVERRUN = 0.05
"""A plan that takes longer than its time budget by up to this share of it still counts as in time."""

_MOST_MARGIN = 0.2  # share of the time budget that is given up, at most, to allow for delays at the end


class Budget(Protocol):
    """Says how many predictions there is time for."""

    def grant(self, candidates: int, reserve: int = 0) -> int:
        """How many of these candidates to predict now, in one micro-batch; 0 when the time is up.

        The caller must begin with them at once: their time is measured from this call to the next.

        Args:
            candidates: that are left to predict.
            reserve: further candidates that there must be time for afterwards.
        """
        ...

    def candidates_left(self, micro_batch: int) -> float:
        """About how many candidates there is time for, in micro-batches of that size; infinity while unknown."""
        ...

    def finish(self) -> None:
        """To be called when the plan is ready."""
        ...


class Unlimited:
    """A :class:`Budget` without end. It never waits for the device."""

    def grant(self, candidates: int, reserve: int = 0) -> int:
        """All of them."""
        return candidates

    def candidates_left(self, micro_batch: int) -> float:
        """Infinitely many."""
        return math.inf

    def finish(self) -> None:
        """Nothing to note."""


class Pace:
    """Remembers how long micro-batches of each size took, and so knows how long the next one will take.

    Args:
        remembered: micro-batches of each size.
        remembered_plans: plans whose delay is remembered.
    """

    def __init__(self, remembered: int = 20, remembered_plans: int = 200) -> None:
        self._seconds: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=remembered))
        self._delays: deque[float] = deque(maxlen=remembered_plans)

    def record(self, candidates: int, seconds: float) -> None:
        """A micro-batch of that many candidates took that long, with everything around it."""
        self._seconds[candidates].append(seconds)

    def predict(self, candidates: int) -> float:
        """Seconds that a micro-batch may take: the longest of the remembered ones; 0 while nothing was measured."""
        measured = [size for size, seconds in self._seconds.items() if seconds]
        if not measured:
            return 0.0
        nearest = min(measured, key=lambda size: abs(math.log(size / candidates)))
        return max(self._seconds[nearest]) * candidates / nearest

    def record_delay(self, seconds: float) -> None:
        """A plan was ready that long after the end that was aimed at; negative when it was earlier."""
        self._delays.append(max(0.0, seconds))

    @property
    def delay(self) -> float:
        """Seconds by which plans are late when other programs interrupt their end; one plan in a hundred is later."""
        delays = sorted(self._delays)
        return delays[math.ceil(0.99 * len(delays)) - 1] if delays else 0.0

    def fade(self) -> None:
        """Forget the longest time of each size: a size that is not tried because it was slow once is never measured."""
        for seconds in self._seconds.values():
            if seconds:
                seconds.remove(max(seconds))


class TimeBudget:
    """A :class:`Budget` of some seconds. It waits for the device before each micro-batch, to know the time.

    Other programs may interrupt the last predictions of a plan. Where that happens, plans aim at an earlier end: early
    enough that only one plan in a hundred takes more than its budget and :data:`TOLERATED_OVERRUN`, but at most a
    fifth of the budget early.

    Args:
        started: when the plan began, on the clock.
        seconds: that it may take.
        pace: measured times; this adds to them.
        device: computes the predictions.
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
        """All, half or a quarter of them: as many as will probably be predicted before the end, with the reserve.

        Close to the end it is a quarter, so that an interruption of the last micro-batch costs little. Only these
        three sizes are granted, because the time of each size has to be learnt.
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
        """Wait for the running micro-batch and note how long it took; returns the time."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = self._clock()
        if self._running is not None:
            candidates, since = self._running
            self._pace.record(candidates, now - since)
            self._running = None
        return now
