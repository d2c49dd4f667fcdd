"""The system tests' tools: a recorder that checks every set-point, a saboteur between simulator and planner, a rig."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import SetGoal

from vjepa_mpc.nodes.conversions import encode_png, position_of, quaternion_of, seconds
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.tools.demo_link import DemoLink
from vjepa_mpc.tools.processes import NodeProcess

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "config/robots/sim.yaml"
LIMITS = yaml.safe_load(PROFILE.read_text())["/**"]["ros__parameters"]
DEFAULTS = yaml.safe_load((ROOT / "config/planner.yaml").read_text())["/**"]["ros__parameters"]
START = np.array([0.52, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
GOAL = np.array([0.45, 0.08, 0.12, np.pi, 0.0, 0.0, 0.0])
BLOCK = np.array([0.6, -0.1])
# A planner that finds the way less well, and much faster: for tests in which only that it moves matters.
FAST = {"samples": "32", "topk": "6", "cem_steps": "3"}
QUIET = 0.5  # seconds that count as silence: many set-point periods


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """A set-point as it came over the wire, and the measured pose that was newest then."""

    message: PoseStamped
    received: float
    measured: PoseStamped | None


class Recorder(DemoLink):
    """A :class:`DemoLink` that also records what the arm is told."""

    def __init__(self, domain_id: int, namespace: str = "") -> None:
        self.setpoints: list[Recorded] = []
        super().__init__(domain_id, namespace=namespace)
        self._node.create_subscription(PoseStamped, "target_pose", self._on_target, QoSProfile(depth=100))

    def _on_target(self, message: PoseStamped) -> None:
        with self._changed:
            self.setpoints.append(Recorded(message=message, received=time.monotonic(), measured=self._pose))
            self._changed.notify_all()

    def forget(self) -> None:
        """Start recording anew; the present status stays."""
        with self._changed:
            self.setpoints.clear()
            del self._statuses[:-1]

    def wait_for_setpoint(self, timeout: float) -> None:
        """Until one more comes."""
        with self._changed:
            count = len(self.setpoints)
            assert self._changed.wait_for(lambda: len(self.setpoints) > count, timeout), "no set-point came"

    def stays_silent(self, duration: float = QUIET) -> bool:
        """Whether no set-point comes for a while."""
        with self._changed:
            count = len(self.setpoints)
            return not self._changed.wait_for(lambda: len(self.setpoints) > count, duration)

    def wait_until_silent(self, timeout: float) -> None:
        """Until no set-points have come for a while."""
        deadline = time.monotonic() + timeout
        while not self.stays_silent():
            assert time.monotonic() < deadline, f"set-points still come after {timeout} s"

    def check_setpoints(self) -> None:
        """What must hold for every set-point ever published."""
        with self._changed:
            recorded = list(self.setpoints)
        problems = [problem for entry in recorded for problem in check_one(entry)]
        problems += check_motion([entry.message for entry in recorded])
        assert not problems, f"{len(problems)} violations in {len(recorded)} set-points, e.g. {problems[:5]}"

    def set_parameters(self, node: str, **values: Any) -> str:
        """Set parameters together; the reason of a refusal, empty when they were taken."""
        request = SetParametersAtomically.Request()
        request.parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()
        ]
        result = self.call(SetParametersAtomically, f"{node}/set_parameters_atomically", request).result
        return "" if result.successful else result.reason or "refused without a reason"

    def parameter(self, node: str, name: str) -> Any:
        """The present value of a parameter."""
        answer = self.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=[name]))
        return Parameter.from_parameter_msg(_named(name, answer.values[0])).value


def _named(name: str, value: Any) -> Any:
    from rcl_interfaces.msg import Parameter as ParameterMessage

    return ParameterMessage(name=name, value=value)


def check_one(entry: Recorded) -> list[str]:
    """Invariants of a single set-point."""
    position, quaternion = position_of(entry.message), quaternion_of(entry.message)
    if not np.isfinite([*position, *quaternion]).all():
        return [f"not finite: {position} {quaternion}"]
    found = []
    if abs(np.linalg.norm(quaternion) - 1.0) > 1e-6:
        found.append(f"quaternion {quaternion} is not of unit length")
    if entry.message.header.frame_id != LIMITS["frame_id"]:
        found.append(f"frame_id '{entry.message.header.frame_id}'")
    lower, upper = np.array(LIMITS["workspace"]["lower"]), np.array(LIMITS["workspace"]["upper"])
    if (position < lower - 1e-9).any() or (position > upper + 1e-9).any():
        found.append(f"{position} is outside the workspace box")
    if entry.measured is not None:
        lead = float(np.linalg.norm(position - position_of(entry.measured)))
        if lead > _limit("max_step"):
            found.append(f"{lead:.3f} m from the measured pose")
    return found


def check_motion(messages: Sequence[PoseStamped], window: int = 5) -> list[str]:
    """Speed and acceleration between stamps, over windows that even out the scheduling of publisher and clock."""
    times = np.array([seconds(message.header.stamp) for message in messages])
    positions = np.array([position_of(message) for message in messages]).reshape(-1, 3)
    found = []
    # A gap of more than max_gap means that the stream was interrupted and began anew.
    pieces = np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > DEFAULTS["setpoint_max_gap"]) + 1)
    for piece in pieces:
        t, p = times[piece], positions[piece]
        if len(piece) <= 2 * window:
            continue
        dt = t[window:] - t[:-window]
        velocity = (p[window:] - p[:-window]) / dt[:, None]
        speed = float(np.linalg.norm(velocity, axis=1).max())
        if speed > 1.1 * _limit("linear_speed"):
            found.append(f"speed {speed:.3f} m/s")
        acceleration = np.linalg.norm(velocity[window:] - velocity[:-window], axis=1) / dt[:-window]
        if acceleration.max() > 1.5 * _limit("linear_acceleration"):
            found.append(f"acceleration {acceleration.max():.2f} m/s²")
    return found


def _limit(name: str) -> float:
    return float(LIMITS["limits"].get(name, DEFAULTS["limits"][name]))


class Saboteur:
    """Stands between simulator and planner: forwards images and poses, altered as a test wants.

    Planners that are to be fooled subscribe to ``faulty/image`` and ``faulty/current_pose``.
    """

    REMAPPINGS: ClassVar = {"camera/image_raw": "faulty/image", "current_pose": "faulty/current_pose"}

    def __init__(self, link: DemoLink) -> None:
        node = link._node
        self._image_out = node.create_publisher(Image, "faulty/image", qos_profile_sensor_data)
        self._pose_out = node.create_publisher(PoseStamped, "faulty/current_pose", qos_profile_sensor_data)
        self.behave()
        node.create_subscription(Image, "camera/image_raw", self._on_image, qos_profile_sensor_data)
        node.create_subscription(PoseStamped, "current_pose", self._on_pose, qos_profile_sensor_data)

    def behave(self) -> None:
        """Forward everything as it is."""
        self.alter_image: Callable[[Image], Image | None] = lambda message: message
        self.alter_pose: Callable[[PoseStamped], PoseStamped | None] = lambda message: message

    def _on_image(self, message: Image) -> None:
        altered = self.alter_image(message)
        if altered is not None:
            self._image_out.publish(altered)

    def _on_pose(self, message: PoseStamped) -> None:
        altered = self.alter_pose(message)
        if altered is not None:
            self._pose_out.publish(altered)


class Rig:
    """Simulator, planner and recorder, and what tests do with them."""

    def __init__(self, planner: NodeProcess, link: Recorder) -> None:
        self.planner, self.link = planner, link

    @staticmethod
    def start_planner(
        log: Path, domain: int, remappings: dict[str, str] | None = None, **parameters: str
    ) -> NodeProcess:
        """A planner for the simulated arm."""
        parameters = {**Rig.checkpoint(), **parameters}
        return NodeProcess(
            "planner_node",
            log,
            domain,
            params_files=[ROOT / "config/planner.yaml", PROFILE],
            parameters={name.replace("__", "."): value for name, value in parameters.items()},
            remappings=remappings,
        )

    @staticmethod
    def checkpoint() -> dict[str, str]:
        """The parameter that the environment's VJEPA_MPC_CHECKPOINT, a world model to test with, stands for."""
        path = os.environ.get("VJEPA_MPC_CHECKPOINT")
        return {"checkpoint": path} if path else {}

    def reset(self, start: np.ndarray = START) -> None:
        """No goal, arm and block at their start, nothing recorded."""
        self.link.reset(start, BLOCK, 0.0)
        self.link.wait_for_status(lambda status: status.state == PlanStatus.IDLE, 10.0)
        self.link.wait_until_silent(5.0)
        self.link.forget()

    def request(self, images: Sequence[np.ndarray] = (), **fields: Any) -> SetGoal.Response:
        """Call ~/set_goal."""
        return self.request_fields(images=[CompressedImage(format="png", data=encode_png(i)) for i in images], **fields)

    def request_fields(self, **fields: Any) -> SetGoal.Response:
        """Call ~/set_goal with these fields of the request."""
        return self.link.call(SetGoal, "planner_node/set_goal", SetGoal.Request(**fields))

    def clear_goal(self) -> None:
        """Call ~/clear_goal and wait for silence."""
        self.link.call(Trigger, "planner_node/clear_goal", Trigger.Request())
        self.link.wait_until_silent(5.0)

    def wait_for_state(self, state: int, timeout: float = 30.0) -> PlanStatus:
        """Until the planner says that it is in a state."""
        return self.link.wait_for_status(lambda status: status.state == state, timeout)

    def wait_for_reason(self, reason: str, timeout: float = 30.0) -> PlanStatus:
        """Until the planner gives a reason."""
        return self.link.wait_for_status(lambda status: status.reason == reason, timeout)

    def position(self) -> np.ndarray:
        """Of the arm, measured."""
        return self.link.wait_for_view().pose[:3]


def goal_picture(pose: np.ndarray = GOAL) -> np.ndarray:
    """What the camera would see with the arm at a pose and the block at its place."""
    with FrankaSim() as sim:
        sim.reset(pose=START, block_position=BLOCK, block_yaw=0.0)
        return sim.goal_image(pose)
