"""Where the gripper's fingers were sent, and whether they have got there."""

from __future__ import annotations

import math

# A gripper is slow, and some drivers restart its motion at every message: only changes are sent.
RESOLUTION = 0.01
# Fingers that move less than this in a while have arrived, or hold something.
STILL = 0.01
WHILE = 0.2  # seconds


class FingerMotion:
    """The gripper's share of a motion. Closedness is 0 open … 1 closed; times are seconds of one steady clock.

    Args:
        timeout: longest wait for the fingers after a command, in seconds.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._commanded: float | None = None
        self._sent_at = -math.inf
        self._still_since = -math.inf
        self._last = math.nan

    @property
    def commanded(self) -> float | None:
        """Closedness that was sent last; None before the first command and after `forget`."""
        return self._commanded

    def forget(self) -> None:
        """Send the next command even if it is the same: the fingers may have been moved by somebody else."""
        self._commanded = None

    def command(self, closedness: float, measured: float | None, now: float) -> bool:
        """Note what is wanted; True when it differs from what was sent last, or is measured, and has to be sent."""
        reference = self._commanded if self._commanded is not None else measured
        if reference is not None and abs(closedness - reference) <= RESOLUTION:
            return False
        self._commanded, self._sent_at, self._still_since, self._last = closedness, now, now, math.nan
        return True

    def arrived(self, measured: float | None, now: float) -> bool:
        """Whether nothing is to be waited for: the fingers stand still, or have had their time."""
        if now - self._sent_at >= self._timeout:
            return True
        if measured is None:
            return False
        if math.isnan(self._last) or abs(measured - self._last) > STILL:
            self._last, self._still_since = measured, now
        return now - self._still_since >= WHILE
