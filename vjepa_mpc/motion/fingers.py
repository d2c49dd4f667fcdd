"""Where the gripper's fingers were sent, whether they have got there, and whether they stay there."""

from __future__ import annotations

import math

from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason

# A gripper is slow, and some drivers restart its motion at every message: only changes are sent.
RESOLUTION = 0.01
# Fingers that move less than this in a while have arrived, or hold something.
STILL = 0.01
WHILE = 0.2  # seconds

# Fingers that close may stop anywhere, on an object, but not where they are open. Objects keep none from opening.
STILL_OPEN = 0.05
NOT_OPENED = 0.1
# Fingers that were closed and are this open have let go. They may open a little when an object turns between them.
LET_GO = 0.1
# Where fingers stand that were sent to open in widths and take them for one finger's position, or the other way round.
_HALF_OPEN = (0.35, 0.65)


class FingerMotion:
    """The gripper's share of a motion. Closedness is 0 open … 1 closed; times are seconds of one steady clock.

    Args:
        timeout: longest wait for the fingers after a command, in seconds; 0: they are neither waited for nor watched.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._commanded: float | None = None
        self._sent_at = -math.inf
        self._still_since = -math.inf
        self._last = math.nan
        self._rest: float | None = None  # where they came to rest as they were told

    @property
    def commanded(self) -> float | None:
        """Closedness that was sent last; None before the first command and after `forget`."""
        return self._commanded

    def forget(self) -> None:
        """Send the next command even if it is the same: the fingers may have been moved by somebody else."""
        self._commanded = self._rest = None

    def command(self, closedness: float, measured: float | None, now: float) -> bool:
        """Note what is wanted; True when it differs from what was sent last, or is measured, and has to be sent."""
        reference = self._commanded if self._commanded is not None else measured
        if reference is not None and abs(closedness - reference) <= RESOLUTION:
            return False
        self._commanded, self._sent_at, self._still_since, self._last = closedness, now, now, math.nan
        self._rest = None
        return True

    def arrived(self, measured: float | None, now: float) -> bool:
        """Whether nothing is to be waited for: the fingers stand still where they may, or have had their time."""
        if now - self._sent_at >= self._timeout:
            return True
        return measured is not None and self._still(measured, now) and not self._wrong(measured)

    def trouble(self, measured: float | None, now: float) -> Violation | None:
        """That the fingers, after their time, are not where they were sent, or that they have left it.

        Args:
            measured: closedness; None where nobody measures it.
            now: time.
        """
        commanded = self._commanded
        if measured is None or commanded is None or self._timeout == 0.0:
            return None
        still = self._still(measured, now)
        opened = measured < LET_GO and commanded > measured + NOT_OPENED
        if opened and self._rest is not None and self._rest > measured + LET_GO:
            where = f"they closed to {self._rest:.2f} (0 open, 1 closed), and are at {measured:.2f}"
            return Violation(Reason.GRIPPER_LET_GO, where)
        if not still:
            return None
        if not self._wrong(measured):
            self._rest = measured if self._rest is None else max(self._rest, measured)
        elif now - self._sent_at >= self._timeout:
            return self._astray(commanded, measured, now - self._sent_at)
        return None

    def _still(self, measured: float, now: float) -> bool:
        """Take note of where the fingers are; whether they have been there for a while."""
        if math.isnan(self._last) or abs(measured - self._last) > STILL:
            self._last, self._still_since = measured, now
        return now - self._still_since >= WHILE

    def _wrong(self, measured: float) -> bool:
        """Whether no object explains why the fingers are here."""
        wanted = measured if self._commanded is None else self._commanded
        open_yet = measured < STILL_OPEN and wanted > measured + NOT_OPENED
        return open_yet or measured > wanted + NOT_OPENED

    def _astray(self, commanded: float, measured: float, waited: float) -> Violation:
        words = f"told {commanded:.2f} (0 open, 1 closed), the fingers are at {measured:.2f} after {waited:.1f} s"
        if measured < commanded:
            words += ": they have not begun to close"
        elif _HALF_OPEN[0] <= measured - commanded <= _HALF_OPEN[1]:
            words += (
                ": half open, so one side may mean the gap between the fingers and the other one finger's position "
                "(see gripper_joint_open)"
            )
        else:
            words += ": they have not opened"
        return Violation(Reason.GRIPPER_NOT_FOLLOWING, words)
