"""Is the measured gripper closedness a plausible, fresh number?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.age import AgeReasons, StampOptions, check_age
from vjepa_mpc.safety.guards.interface import InputGuard, Scene
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import GripperSample, Now

_AGE = AgeReasons(
    silent=Reason.GRIPPER_SILENT,
    no_stamp=Reason.GRIPPER_STAMP_ZERO,
    stale=Reason.GRIPPER_STALE,
    future=Reason.GRIPPER_FROM_FUTURE,
)


class GripperGuard(InputGuard[GripperSample]):
    """Watches the measured gripper closedness: finite, plausible, and fresh."""

    @dataclass(frozen=True, kw_only=True)
    class Options(StampOptions):
        """When a gripper position is too old; None if there is no gripper feedback."""

        gripper_timeout: float | None = option(
            1.0,
            "Oldest usable gripper position, by its stamp and by its reception; counts where gripper_joint is set.",
            unit="s",
            low=0.01,
            high=60.0,
        )

    kind = GripperSample
    missing = Reason.NO_GRIPPER
    reasons = (*_AGE.all, Reason.GRIPPER_NOT_FINITE, Reason.INPUT_IMPLAUSIBLE)

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self._options, self._scene = options, scene

    @property
    def required(self) -> bool:
        """Whether there is gripper feedback."""
        return self._options.gripper_timeout is not None

    def observe(self, sample: GripperSample) -> None:
        """Take note of a gripper position."""
        self.newest = sample
        if math.isfinite(sample.closedness):
            self._scene.closedness = sample.closedness

    def check(self, now: Now) -> Violation | None:
        """Content, then age; nothing where there is no gripper feedback."""
        timeout = self._options.gripper_timeout
        if timeout is None or self.newest is None:
            return None
        if not math.isfinite(self.newest.closedness):
            return Violation(Reason.GRIPPER_NOT_FINITE, f"closedness is {self.newest.closedness}")
        if self.newest.implausible:
            return Violation(Reason.INPUT_IMPLAUSIBLE, self.newest.implausible)
        return check_age(self.newest, now, timeout, self._options.future_tolerance, _AGE)
