"""Carrying out accepted steps: set-points, gripper commands, and when a motion is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.motion.fingers import FingerMotion
from vjepa_mpc.motion.setpoints import SetpointGenerator, SetpointSettings
from vjepa_mpc.motion.settle import SettleMonitor, SettleSettings
from vjepa_mpc.options import check_options, group, option
from vjepa_mpc.safety.invariants import check_setpoint
from vjepa_mpc.safety.samples import Now

# A set-point this near to its target may go on to the next one without stopping.
PASSING_DISTANCE = 0.01  # metres


@dataclass(frozen=True, kw_only=True)
class MotionSettings:
    """How steps are carried out.

    Attributes:
        integrates: the arm follows velocities, so that nothing ties it to a set-point's position.

    Raises:
        ValueError: an option is out of its range.
    """

    setpoints: SetpointSettings = group(SetpointSettings, "setpoint_")
    settle: SettleSettings = group(SettleSettings, "settle.")
    finger_timeout: float = option(
        3.0,
        "Longest wait for the fingers after a gripper command. Fingers that are then still, and not where they were "
        "told to be, are a fault. 0: they are neither waited for nor compared.",
        unit="s",
        low=0.0,
        high=30.0,
        name="settle.finger_timeout",
        former=("settle.gripper_timeout",),
    )
    integrates: bool = False

    def __post_init__(self) -> None:
        check_options(self)


class Motion:
    """Moves the arm to one accepted target after the other, and says when it is there.

    One thread, the control loop's, makes all calls. Times are seconds of one steady clock.

    Args:
        workspace: where set-points may be.
        limits: how fast and how far they may go.
        settings: how steps are carried out.
        publish: sends a set-point, which was computed for that moment.
        publish_gripper: sends a closedness.
        refuse: gets what is wrong with a set-point that broke an invariant and was not sent.

    Attributes:
        clipped: [3] metres, by how much the workspace box has changed the newest step's target.
    """

    def __init__(
        self,
        workspace: WorkspaceBox,
        limits: MotionLimits,
        settings: MotionSettings,
        *,
        publish: Callable[[Setpoint, Now], None],
        publish_gripper: Callable[[float], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._workspace, self._limits, self._settings = workspace, limits, settings
        self._setpoints = SetpointGenerator(workspace, limits, settings.setpoints)
        self._settle = SettleMonitor(settings.settle)
        self.fingers = FingerMotion(settings.finger_timeout)
        self._publish, self._publish_gripper, self._refuse = publish, publish_gripper, refuse
        self._previous: Setpoint | None = None
        self._target: CartesianPose | None = None
        self._arrival: float | None = None
        self.clipped = np.zeros(3)

    @property
    def executing(self) -> bool:
        """Whether a step is being carried out."""
        return self._target is not None

    @property
    def passing(self) -> bool:
        """Whether the set-point is so near to the target that the next one may follow."""
        return self._setpoints.distance <= PASSING_DISTANCE

    @property
    def expired(self) -> bool:
        """Whether the step's time ran out before the arm was at its target."""
        return self._target is not None and self._setpoints.target is None

    @property
    def silent(self) -> bool:
        """Whether no set-points are sent, and none will be before `engage`."""
        return not self._setpoints.engaged and self._previous is None

    def destination(self) -> tuple[CartesianPose, float] | None:
        """Where the set-points go, and the steady time at which they will be `passing`; None when they go nowhere."""
        target = self._setpoints.target
        if target is None:
            return None
        if self._arrival is None:
            self._arrival = self._setpoints.arrival(PASSING_DISTANCE)
        return target, self._arrival

    def engage(self, engaged: bool, measured: CartesianPose | None, now: float) -> bool:
        """Start set-points at the measured pose, or end them; True when a target may be followed."""
        if not engaged:
            self.abandon()
            self._setpoints.release()
        elif measured is not None and self._setpoints.engage(measured, now):
            return True
        return False

    def follow(self, target: np.ndarray, closedness: float | None, now: float, expires_at: float) -> bool:
        """Carry out a step; True when it moves the fingers.

        Args:
            target: [7] to move to; its last entry is the closedness to command.
            closedness: measured; None if it is not known.
            now: time.
            expires_at: time after which the arm stops wherever it is.
        """
        self._target = CartesianPose.from_state(target)
        self.clipped = self._setpoints.follow(self._target, expires_at)
        self._arrival = None
        self._settle.start()
        wanted = float(target[6])
        moves_fingers = self.fingers.command(wanted, closedness, now)
        if moves_fingers:
            self._publish_gripper(wanted)
        return moves_fingers

    def abandon(self) -> None:
        """Stop where the arm is, within its limits."""
        self._target = None
        self._setpoints.stop()

    def advance(self, now: Now, measured: CartesianPose | None) -> Setpoint | None:
        """Send this period's set-point, if there is one, and return what was sent."""
        setpoint = self._setpoints.advance(now.steady, measured)
        if setpoint is None:
            self._previous = None
            return None
        problems = check_setpoint(
            setpoint,
            previous=self._previous,
            measured=measured,
            workspace=self._workspace,
            limits=self._limits,
            max_gap=self._settings.setpoints.max_gap,
        )
        if problems:
            self._refuse("; ".join(problems))
            return None
        self._previous = setpoint
        self._publish(setpoint, now)
        return setpoint

    def done(self, now: float, measured: CartesianPose | None, closedness: float | None) -> bool:
        """Whether arm and fingers have come to rest after a step; True once for each step."""
        target = self._setpoints.target
        if not self.executing or target is None:
            return False
        at_target = self._setpoints.at_target
        if not self._settle.update(now, at_target=at_target, measured=measured, target=target):
            return False
        if not self.fingers.arrived(closedness, now):
            return False
        self._target = None
        if self._settings.integrates and measured is not None:
            # The arm may have lagged behind the velocities. Starting again where it is keeps the lag from adding up.
            self._setpoints.release()
            self._setpoints.engage(measured, now)
        return True
