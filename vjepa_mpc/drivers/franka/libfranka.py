"""A Franka arm through libfranka: state out, streamed Cartesian targets in, and names for what goes wrong.

The client library is franky (`pip install franky-control`), which runs libfranka's 1 kHz loop on a thread of its own
in C++. Each new target is an asynchronous motion that takes over from the one before, continuous in position, velocity
and acceleration; passing one on takes well under a millisecond, so this works at the rate of the set-points.

The motions are in joint space, to the posture that :mod:`~vjepa_mpc.geometry.inverse_kinematics` gives the target,
because the elbow of a Cartesian motion depends on the way there; set-points are so close together that the path stays
straight.
"""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from vjepa_mpc.drivers.franka.condition import MODES, Condition
from vjepa_mpc.drivers.franka.settings import ArmSettings
from vjepa_mpc.extras import install_hint
from vjepa_mpc.geometry.inverse_kinematics import PostureFinder

# Targets this close are one: franky's trajectory generator fails now and then on the way to where it already is.
SAME = 2e-5  # metres, and units of a quaternion
_PLANNING_FAILED = "Motion planner failed"  # how franky says so, in a plain RuntimeError
_log = logging.getLogger(__name__)
_STOP_TIMEOUT = 1.0  # seconds
_NO_ERRORS = "[]"  # as franky writes them


class ConnectionLostError(ConnectionError):
    """The connection to the robot cannot be made, or is gone for good; a new one has to be made."""


def load_franky() -> ModuleType:
    """The client library, imported when a robot is about to be used.

    Raises:
        ImportError: it is not installed; the message says how to change that.
    """
    try:
        import franky
    except ImportError as error:
        raise ImportError(
            f"driving a Franka needs franky-control ({error}): pip install franky-control, or "
            f"{install_hint('libfranka')}; its version must suit the robot's system version"
        ) from error
    return franky


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmState:
    """One measured state of the arm.

    Attributes:
        time: seconds of the robot's own clock, from any origin; the same twice means that nothing new came.
        position: [3] of the end effector in the base frame, metres.
        quaternion: [4] xyzw, unit length.
        joints: [7] radians.
        velocities: [7] rad/s.
        mode: libfranka's robot mode, e.g. Idle, Move, Reflex.
        errors: the current errors' names; "" when there are none.
    """

    time: float
    position: np.ndarray
    quaternion: np.ndarray
    joints: np.ndarray
    velocities: np.ndarray
    mode: str
    errors: str


class LibfrankaArm:
    """One connection to one arm. It belongs to one thread; calls return within milliseconds unless the network hangs.

    Args:
        settings: how to reach and move it.
        franky: the client library (:func:`load_franky`).

    Raises:
        ConnectionLostError: there is no robot at the address, or it does not answer.
    """

    def __init__(self, settings: ArmSettings, franky: Any) -> None:
        self._franky = franky
        self._followed: np.ndarray | None = None
        self._fault: tuple[Condition, str] | None = None
        self._mode, self._errors = "Other", ""
        enforced = franky.RealtimeConfig.Enforce if settings.realtime else franky.RealtimeConfig.Ignore
        try:
            self._robot = franky.Robot(
                settings.robot_ip,
                realtime_config=enforced,
                default_torque_threshold=settings.torque_threshold,
                default_force_threshold=settings.force_threshold,
            )
            self._limit(settings)
            self._posture = self._posture_finder(settings)
        except (franky.Exception, RuntimeError) as error:
            raise ConnectionLostError(f"{settings.robot_ip}: {error}") from error

    @property
    def condition(self) -> tuple[Condition, str]:
        """What the newest state and the last motion leave the robot in, with a detail."""
        mode = MODES.get(self._mode)
        if mode is not None:
            detail = self._fault[1] if self._fault else self._errors
            return mode, detail
        return self._fault or (Condition.READY, "")

    def read(self) -> ArmState:
        """The newest state; notices when a motion has failed.

        Raises:
            ConnectionLostError: no state comes any more.
        """
        self._attempt(self._robot.poll_motion)
        try:
            state = self._robot.state
        except (self._franky.Exception, RuntimeError) as error:
            raise ConnectionLostError(str(error)) from error
        self._mode = state.robot_mode.name
        # Not `has_errors`, which would wait for another state.
        self._errors = "" if str(state.current_errors) == _NO_ERRORS else str(state.current_errors)
        return ArmState(
            time=state.time.to_msec() * 1e-3,
            position=np.array(state.O_T_EE.translation, dtype=float),
            quaternion=np.array(state.O_T_EE.quaternion, dtype=float),
            joints=np.array(state.q, dtype=float),
            velocities=np.array(state.dq, dtype=float),
            mode=self._mode,
            errors=self._errors,
        )

    def follow(self, position: np.ndarray, quaternion: np.ndarray) -> None:
        """Go to a pose [3] metres, [4] xyzw in the base frame from now on, and stay there.

        Raises:
            TargetError: no posture within the joint limits has this pose.
            ConnectionLostError: the connection is gone.
        """
        target = np.concatenate([position, quaternion])
        if self._followed is not None and self._robot.is_in_control and np.allclose(target, self._followed, atol=SAME):
            return
        franky = self._franky
        # Without an end the control session stays open between targets: a new one would cost a handshake each time.
        if self._posture is None:
            pose = franky.RobotPose(franky.Affine(position, quaternion))
            motion = franky.CartesianMotion(pose, return_when_finished=False)
        else:
            motion = franky.JointMotion(self._posture.find(position, quaternion), return_when_finished=False)
        self._followed = target
        self._attempt(lambda: self._robot.move(motion, asynchronous=True))

    def hold(self) -> None:
        """Slow down to rest and end the control session; the robot holds its position by itself. Returns at once.

        Raises:
            ConnectionLostError: the connection is gone.
        """
        stop = self._franky.CartesianStopMotion if self._posture is None else self._franky.JointStopMotion
        if self._robot.is_in_control:
            self._attempt(lambda: self._robot.move(stop(), asynchronous=True))

    def recover(self) -> None:
        """Ask for automatic error recovery and forget failed motions.

        Raises:
            ConnectionLostError: the connection is gone.
        """
        self._fault = None
        self._attempt(self._robot.recover_from_errors)

    def close(self) -> None:
        """Slow down to rest and wait for that; the connection ends with this object."""
        try:
            self.hold()
            self._attempt(lambda: self._robot.join_motion(_STOP_TIMEOUT))
        except ConnectionLostError:
            pass  # the robot stops by itself when its client is gone

    def _attempt(self, action: Any) -> None:
        franky = self._franky
        try:
            action()
        except franky.CommandException as error:
            self._fault = (Condition.MOTION_REFUSED, _first_line(error))
        except franky.ControlException as error:
            self._fault = (Condition.MOTION_ABORTED, _first_line(error))
        except (franky.NetworkException, franky.ProtocolException, RuntimeError) as error:
            if _PLANNING_FAILED not in str(error):
                raise ConnectionLostError(_first_line(error)) from error
            _log.warning("a motion ended early, the next target begins another: %s", _first_line(error))
            self._followed = None
        except franky.Exception as error:
            self._fault = (Condition.MOTION_REFUSED, _first_line(error))

    def _limit(self, settings: ArmSettings) -> None:
        for kind, ours in (("velocity", "speed"), ("acceleration", "acceleration"), ("jerk", "jerk")):
            getattr(self._robot, f"translation_{kind}_limit").set(getattr(settings, f"linear_{ours}"))
            getattr(self._robot, f"rotation_{kind}_limit").set(getattr(settings, f"angular_{ours}"))
            joints = getattr(self._robot, f"joint_{kind}_limit")
            joints.set(np.minimum(getattr(settings, f"joint_{ours}"), joints.max))

    def _posture_finder(self, settings: ArmSettings) -> PostureFinder | None:
        if settings.motion == "cartesian":
            return None
        kinematics = _ModelKinematics(self._franky, self._robot.model, self._robot.state)
        return PostureFinder(kinematics, joint_limits(self._robot.model_urdf), settings.home_posture)


class _ModelKinematics:
    """The robot's own model, with the end effector that is set in Desk."""

    def __init__(self, franky: Any, model: Any, state: Any) -> None:
        self._model, self._frame = model, franky.Frame.EndEffector
        self._tool = (state.F_T_EE, state.EE_T_K)

    def pose(self, joints: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.pose(self._frame, joints, *self._tool).matrix)

    def jacobian(self, joints: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.zero_jacobian(self._frame, joints, *self._tool))


def joint_limits(urdf: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper angles [7] of the arm's joints, from the robot's own description.

    Raises:
        ConnectionLostError: the description has other joints; the robot is not a Franka.
    """
    root = ElementTree.fromstring(urdf)
    limits = [
        (float(limit.get("lower", "-inf")), float(limit.get("upper", "inf")))
        for joint in root.findall("joint")
        if joint.get("type") == "revolute" and (limit := joint.find("limit")) is not None
    ]
    if len(limits) != 7:
        raise ConnectionLostError(f"the robot describes itself with {len(limits)} arm joints instead of 7")
    low, high = np.array(limits).T
    return low, high


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
