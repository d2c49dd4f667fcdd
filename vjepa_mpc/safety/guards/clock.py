"""Does the ROS clock go forward?"""

from __future__ import annotations

from vjepa_mpc.safety.guards.interface import Guard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now

_BACKWARD_TOLERANCE = 0.05  # seconds that the ROS clock may be set back without a hold, as time services do


class ClockGuard(Guard):
    """Notices when the ROS clock goes back, which makes old stamps look new."""

    reasons = (Reason.CLOCK_JUMPED,)

    def __init__(self) -> None:
        self._last: float | None = None

    def check(self, now: Now) -> Violation | None:
        """Look at the clock; says so once for each time that it went back."""
        previous, self._last = self._last, now.ros
        if previous is None or now.ros >= previous - _BACKWARD_TOLERANCE:
            return None
        return Violation(Reason.CLOCK_JUMPED, f"by {previous - now.ros:.2f} s")
