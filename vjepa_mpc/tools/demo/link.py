"""The demo's end of the ROS 2 connection: calls the nodes' services and watches what they publish."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_srvs.srv import Trigger

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.pose import pose_from_quaternion
from vjepa_mpc.images import encode_png, image_to_rgb
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of
from vjepa_mpc.srv import SetGoal

AT_START = 0.02  # metres
ANSWER_TIMEOUT = 30.0  # seconds; a node that is starting loads its model first
REPEAT_AFTER = 10.0  # seconds without an answer
LEADS_TO = {"configure": "inactive", "activate": "active", "deactivate": "inactive", "cleanup": "unconfigured"}


class LinkError(RuntimeError):
    """A node does not answer or refuses; the message says which and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What was seen last: measured pose [7], block pose [7] (xyzw), camera image uint8 RGB, newest status."""

    pose: np.ndarray
    block_pose: np.ndarray
    image: np.ndarray
    status: PlanStatus | None

    @property
    def closedness(self) -> float:
        """Of the gripper, 0 open to 1 closed."""
        return float(self.pose[6])


class DemoLink:
    """A node in this process, spun by a thread of its own. Use it as a context manager.

    Args:
        domain_id: DDS domain of the nodes.
        finger_joint: name of a finger joint in joint_states.
        namespace: of the nodes and their topics.
    """

    def __init__(self, domain_id: int, finger_joint: str = "fr3_finger_joint1", namespace: str = "") -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = Node("demo", context=self._context, namespace=namespace)
        self._finger_joint, self._finger = finger_joint, GripperJoint()
        self._changed = threading.Condition()
        self._pose: Any = None  # the newest message; None before the first one; likewise those below
        self._block: Any = None
        self._joints: Any = None
        self._image: Any = None
        self._images = 0
        self._statuses: list[PlanStatus] = []
        for kind, topic, store in (
            (PoseStamped, "current_pose", "_pose"),
            (PoseStamped, "block_pose", "_block"),
            (JointState, "joint_states", "_joints"),
            (Image, "camera/image_raw", "_image"),
        ):
            self._node.create_subscription(kind, topic, self._keep(store), qos_profile_sensor_data)
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._node.create_subscription(PlanStatus, "planner_node/status", self._on_status, latched)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="demo link", daemon=True)
        self._thread.start()

    # -- doing ------------------------------------------------------------------------------------------------------

    def reset(self, start_pose: np.ndarray, block_position: np.ndarray, block_yaw: float) -> None:
        """Put the simulated arm and the block at a start, while the planner is inactive and has no goal.

        An active planner would take the jump for a fault, and its last set-points would move the arm back.
        """
        self.wait_for_status(is_active, ANSWER_TIMEOUT)
        self.call(Trigger, "planner_node/clear_goal", Trigger.Request())
        self.change_state("planner_node", "deactivate")
        values: dict[str, Any] = {
            "start_pose": [float(value) for value in start_pose],
            "block_position": [float(value) for value in block_position],
            "block_yaw": float(block_yaw),
        }
        request = SetParametersAtomically.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        answer = self.call(SetParametersAtomically, "sim_node/set_parameters_atomically", request)
        if not answer.result.successful:
            raise LinkError(f"sim_node refuses the start: {answer.result.reason}")
        answer = self.call(Trigger, "sim_node/reset", Trigger.Request())
        if not answer.success:
            raise LinkError(f"sim_node cannot reset: {answer.message}")
        self._wait_for_arm_at(start_pose[:3])
        if not self.change_state("planner_node", "activate"):
            raise LinkError("planner_node does not let itself be activated: see its log")
        self.wait_for_status(is_active, ANSWER_TIMEOUT)

    def change_state(self, node: str, label: str) -> bool:
        """A lifecycle transition by its label; whether the node is in the state that it leads to."""
        request = ChangeState.Request()
        request.transition.label = label
        if self.call(ChangeState, f"{node}/change_state", request).success:
            return True
        # A repeated request is refused because the first one was carried out.
        state = self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label
        return bool(state == LEADS_TO[label])

    def _wait_for_arm_at(self, position: np.ndarray) -> None:
        """Until the measured pose is there, and a camera image has come since."""

        def there() -> bool:
            return self._pose is not None and bool(np.linalg.norm(position_of(self._pose) - position) < AT_START)

        with self._changed:
            if not self._changed.wait_for(there, ANSWER_TIMEOUT):
                raise LinkError(f"the arm is not at its start {position.tolist()} after {ANSWER_TIMEOUT:.0f} s")
        self.wait_for_view()

    def set_goal(self, images: Sequence[np.ndarray], steps: Sequence[int]) -> int:
        """Show the planner what to reach; the goal's id."""
        request = SetGoal.Request(steps=[int(number) for number in steps])
        request.images = [CompressedImage(format="png", data=encode_png(image)) for image in images]
        answer = self.call(SetGoal, "planner_node/set_goal", request)
        if not answer.success:
            raise LinkError(f"planner_node refuses the goal: {answer.message}")
        return int(answer.goal_id)

    def subscribe(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        """Have messages of a topic handed to a function, on this link's thread."""
        self._node.create_subscription(kind, topic, callback, 1)

    def call(self, kind: Any, name: str, request: Any, timeout: float = ANSWER_TIMEOUT) -> Any:
        """Call a service and return its answer.

        A server that has not yet discovered this client drops its answer (rmw_fastrtps waits for 0.1 s), so a request
        that stays without one is repeated: what is called must bear being done twice.

        Raises:
            LinkError: nobody offers it, or no answer came in time.
        """
        client: Client[Any, Any] = self._node.create_client(kind, name)
        try:
            if not client.wait_for_service(timeout):
                raise LinkError(f"nobody offers the service {name}, after {timeout:.0f} s")
            for _ in range(math.ceil(timeout / REPEAT_AFTER)):
                answered = threading.Event()
                future = client.call_async(request)
                future.add_done_callback(partial(_set, answered))
                if answered.wait(REPEAT_AFTER):
                    return future.result()
            raise LinkError(f"no answer from {name} after {timeout:.0f} s")
        finally:
            self._node.destroy_client(client)

    # -- seeing -----------------------------------------------------------------------------------------------------

    def wait_for_view(self, timeout: float = ANSWER_TIMEOUT) -> View:
        """What is seen now, with an image that comes after this call.

        Raises:
            LinkError: something of it does not come.
        """
        with self._changed:
            before = self._images

            def complete() -> bool:
                return self._images > before and None not in (self._pose, self._block, self._joints)

            if not self._changed.wait_for(complete, timeout):
                raise LinkError(f"no camera image, pose, block pose or joint states within {timeout:.0f} s")
            return self._view()

    def wait_for_status(self, accept: Callable[[PlanStatus], bool], timeout: float) -> PlanStatus:
        """The first status from now on, or the present one, that is acceptable.

        Raises:
            LinkError: none came in time.
        """
        with self._changed:
            if self._statuses and accept(self._statuses[-1]):
                return self._statuses[-1]
            seen = len(self._statuses)
            found: list[PlanStatus] = []

            def look() -> bool:
                nonlocal seen
                new, seen = self._statuses[seen:], len(self._statuses)
                found.extend(status for status in new if accept(status))
                return bool(found)

            if not self._changed.wait_for(look, timeout):
                last = self._statuses[-1] if self._statuses else None
                raise LinkError(f"the planner did not get there in {timeout:.0f} s; it says: {describe(last)}")
            return found[0]

    def statuses_of(self, goal_id: int) -> list[PlanStatus]:
        """All statuses of a goal so far."""
        with self._changed:
            return [status for status in self._statuses if status.goal_id == goal_id]

    def _view(self) -> View:
        """What is seen now; everything has come at least once."""
        joints, pose = self._joints, self._pose
        finger = joints.position[list(joints.name).index(self._finger_joint)]
        return View(
            pose=pose_from_quaternion(position_of(pose), quaternion_of(pose), self._finger.closedness(finger)),
            block_pose=np.concatenate([position_of(self._block), quaternion_of(self._block)]),
            image=image_to_rgb(self._image),
            status=self._statuses[-1] if self._statuses else None,
        )

    def _keep(self, store: str) -> Callable[[Any], None]:
        def callback(message: Any) -> None:
            with self._changed:
                setattr(self, store, message)
                if store == "_image":
                    self._images += 1
                    self._changed.notify_all()

        return callback

    def _on_status(self, message: PlanStatus) -> None:
        with self._changed:
            self._statuses.append(message)
            self._changed.notify_all()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        """End the connection."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def __enter__(self) -> DemoLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _set(event: threading.Event, _: object) -> None:
    """For a future's callback."""
    event.set()


def is_active(status: PlanStatus) -> bool:
    """Whether the planner was active when it said this."""
    return status.reason not in ("NO_WORKSPACE", "NOT_ACTIVE")


def describe(status: PlanStatus | None) -> str:
    """A status in words."""
    return "nothing" if status is None else f"{status.reason} {status.message}".strip()
