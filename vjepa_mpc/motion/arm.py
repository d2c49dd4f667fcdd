"""Carrying out accepted plans: set-points, gripper commands, and when a motion is over. ROS-free."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.motion.setpoints import Setpoint, SetpointGenerator
from vjepa_mpc.motion.settle import SettleMonitor
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.safety.invariants import check_setpoint

# A gripper is slow, and some drivers restart its motion at every message: only changes are sent.
GRIPPER_RESOLUTION = 0.01
# Fingers that move less than this in a while have arrived, or hold something.
FINGER_STILL = 0.01
FINGER_WHILE = 0.2  # seconds
# A set-point this near to its target may go on to the next one without stopping.
PASSING_DISTANCE = 0.01  # metres


class GripperMotion:
    """Which closedness was commanded, and whether the fingers have got there or are held by an object."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.commanded: float | None = None
        self._sent_at = -math.inf
        self._still_since = -math.inf
        self._last = math.nan

    def command(self, closedness: float, measured: float | None, now: float) -> bool:
        """Note what is wanted; True when it differs from what the gripper was told last and has to be sent."""
        reference = self.commanded if self.commanded is not None else measured
        if reference is not None and abs(closedness - reference) <= GRIPPER_RESOLUTION:
            return False
        self.commanded, self._sent_at, self._still_since, self._last = closedness, now, now, math.nan
        return True

    def arrived(self, measured: float | None, now: float) -> bool:
        """Whether nothing is to be waited for: the fingers stand still, or have had their time."""
        if now - self._sent_at >= self._timeout:
            return True
        if measured is None:
            return False
        if math.isnan(self._last) or abs(measured - self._last) > FINGER_STILL:
            self._last, self._still_since = measured, now
        return now - self._still_since >= FINGER_WHILE


class Motion:
    """The arm's share of the loop: follows accepted targets and reports when it is done with one.

    Belongs to the control loop's thread. Times are seconds of one steady clock.

    Args:
        settings: limits and timing.
        publish: sends a set-point.
        publish_gripper: sends a closedness.
        refuse: told what is wrong with a set-point that broke an invariant and was not sent.
    """

    def __init__(
        self,
        settings: Settings,
        publish: Callable[[Setpoint], None],
        publish_gripper: Callable[[float], None],
        refuse: Callable[[str], None],
    ) -> None:
        if settings.supervisor is None:
            raise ValueError("workspace.lower and workspace.upper are not set: give the box that the arm may move in")
        self._workspace = settings.supervisor.workspace
        self._limits = settings.limits
        self._max_gap = settings.setpoints.max_gap
        self._by_velocity = settings.integrates_velocities
        self._setpoints = SetpointGenerator(self._workspace, self._limits, settings.setpoints)
        self._settle = SettleMonitor(settings.settle)
        self.gripper = GripperMotion(settings.gripper_timeout)
        self._publish, self._publish_gripper, self._refuse = publish, publish_gripper, refuse
        self._previous: Setpoint | None = None
        self._target: CartesianPose | None = None
        self._arrival: float | None = None

    @property
    def executing(self) -> bool:
        """Whether an accepted plan is being carried out."""
        return self._target is not None

    @property
    def passing(self) -> bool:
        """Whether the set-point is so near to the target that the next one may follow."""
        return self._setpoints.distance <= PASSING_DISTANCE

    @property
    def expired(self) -> bool:
        """Whether the plan being carried out ran out on the way to its target."""
        return self._target is not None and self._setpoints.target is None

    def destination(self) -> tuple[CartesianPose, float] | None:
        """Where the arm is going and when, in steady seconds, it will be `passing`; None when it goes nowhere."""
        target = self._setpoints.target
        if target is None:
            return None
        if self._arrival is None:
            self._arrival = self._setpoints.arrival(PASSING_DISTANCE)
        return target, self._arrival

    @property
    def silent(self) -> bool:
        """Whether no set-points are sent, and none will be before `engage`."""
        return not self._setpoints.engaged and self._previous is None

    def engage(self, engaged: bool, measured: CartesianPose | None, now: float) -> bool:
        """Start set-points at the measured pose, or end them; whether a target may be followed."""
        if not engaged:
            self.abandon()
            self._setpoints.release()
        elif measured is not None and self._setpoints.engage(measured, now):
            return True
        return False

    def follow(self, target: np.ndarray, measured: float | None, now: float, expires_at: float) -> None:
        """Carry out a plan: move to the target [7] and set the gripper to its last entry."""
        self._target = CartesianPose.from_state(target)
        self._setpoints.follow(self._target, expires_at)
        self._arrival = None
        self._settle.start()
        closedness = float(target[6])
        if self.gripper.command(closedness, measured, now):
            self._publish_gripper(closedness)

    def abandon(self) -> None:
        """Stop where the arm is, within its limits."""
        self._target = None
        self._setpoints.stop()

    def advance(self, now: float, measured: CartesianPose | None) -> None:
        """Send this period's set-point, if there is one."""
        setpoint = self._setpoints.advance(now, measured)
        if setpoint is None:
            self._previous = None
            return
        problems = check_setpoint(
            setpoint,
            previous=self._previous,
            measured=measured,
            workspace=self._workspace,
            limits=self._limits,
            max_gap=self._max_gap,
        )
        if problems:
            self._refuse("; ".join(problems))
            return
        self._previous = setpoint
        self._publish(setpoint)

    def done(self, now: float, measured: CartesianPose | None, closedness: float | None) -> bool:
        """Whether the plan being carried out is finished, which is told once: arm and fingers have come to rest."""
        target = self._setpoints.target
        if not self.executing or target is None:
            return False
        at_target = self._setpoints.at_target
        if not self._settle.update(now, at_target=at_target, measured=measured, target=target):
            return False
        if not self.gripper.arrived(closedness, now):
            return False
        self._target = None
        if self._by_velocity and measured is not None:
            # Nothing but their velocity ties the arm to the set-points: what it did not follow would add up.
            self._setpoints.release()
            self._setpoints.engage(measured, now)
        return True
