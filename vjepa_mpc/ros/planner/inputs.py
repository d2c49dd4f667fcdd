"""The newest message of each input, as the control loop wants them. Callbacks store and return."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Protocol

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64MultiArray

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.options import option
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of, seconds
from vjepa_mpc.ros.common.graph import describe_topic, publishers_of
from vjepa_mpc.ros.planner.proposals import Proposals
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import GripperSample, ImageSample, PoseSample, image_digest
from vjepa_mpc.safety.sanity import check_gripper_joint
from vjepa_mpc.safety.supervisor import Decision

# A reliable subscriber gets nothing from best-effort publishers, as franka_ros2's pose is; a best-effort one gets all.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Of FrankaRobotState. In all its other modes the robot does not obey, or its user moves it by hand.
MODE_PREFIX = "ROBOT_MODE_"
MOVING_MODES = ("IDLE", "MOVE")
POSE_TYPE = "geometry_msgs/msg/PoseStamped"
IMAGE_TYPES = {False: "sensor_msgs/msg/Image", True: "sensor_msgs/msg/CompressedImage"}  # compressed or not


@dataclass(frozen=True, kw_only=True)
class InputTopics:
    """Names before remapping; an input whose topic is empty unless it is given is one that few robots have."""

    image: str = option(
        "image", "Topic of the camera images; with image_transport compressed, /compressed is appended to it."
    )
    pose: str = option("current_pose", "Topic of the measured end effector pose (PoseStamped).")
    joint_states: str = option("joint_states", "Topic that carries the finger joint's position (JointState).")
    motion_allowed: str = option(
        "~/motion_allowed", "Topic on which others say whether the arm may move (Bool); nobody has to."
    )
    robot_state: str = option("", "Topic of the robot's mode (franka_msgs/FrankaRobotState); empty to ask nobody.")


class InputSettings(Protocol):
    """What of the node's settings the inputs need; :class:`~vjepa_mpc.ros.parameters.settings.Settings` has it."""

    @property
    def topics(self) -> InputTopics:
        """Where the inputs come from."""

    @property
    def image_transport(self) -> str:
        """How images are sent, "raw" or "compressed"."""

    @property
    def gripper_joint(self) -> str:
        """The finger joint's name; empty for no feedback."""

    @property
    def finger(self) -> GripperJoint:
        """Between finger position and closedness."""

    @property
    def supervisor(self) -> SupervisorConfig | None:
        """The options of all guards; None while there is no workspace."""


class Inputs:
    """Subscriptions and what came over them last.

    Attributes (each replaced as a whole, so that any thread may read it):
        image: sample and message, None before the first one.
        pose: newest pose, None before the first one.
        gripper: newest finger position as closedness, None before the first one.
        proposals: newest proposed actions.
    """

    def __init__(self, node: Node, settings: InputSettings) -> None:
        self.proposals = Proposals(node, settings.supervisor)
        self.forget()
        self._permission: bool | None = None
        self._robot_mode: str | None = None
        self._node = node
        self._settings = settings
        topics = settings.topics
        # As image_transport does: the base name is remapped, and the transport's name is added to what it becomes.
        self._image_topic, self._pose_topic = map(node.resolve_topic_name, (topics.image, topics.pose))
        self._compressed = settings.image_transport == "compressed"
        kind, image = (CompressedImage, self._compressed_topic) if self._compressed else (Image, self._image_topic)
        self._subscriptions = [
            # Poses come first when both are waiting, so that an image is never compared with an older pose.
            node.create_subscription(PoseStamped, topics.pose, self._on_pose, NEWEST),
            node.create_subscription(kind, image, self._on_image, NEWEST),
            node.create_subscription(Bool, topics.motion_allowed, self._on_motion_allowed, 1),
            node.create_subscription(Float64MultiArray, "~/proposals", self.proposals.on_message, NEWEST),
        ]
        if settings.gripper_joint:
            self._subscriptions.append(
                node.create_subscription(JointState, topics.joint_states, self._on_joints, NEWEST)
            )
        if topics.robot_state:
            robot_state = optional_interfaces.franka_robot_state()
            self._subscriptions.append(
                node.create_subscription(robot_state, topics.robot_state, self._on_robot_state, NEWEST)
            )

    @property
    def samples(self) -> tuple[Any, ...]:
        """The newest sample of every input that has come, for the supervisor."""
        image = self.image  # looked at before the pose, so that the pose is at least as new
        newest = (self.pose, None if image is None else image[0], self.gripper)
        return tuple(sample for sample in newest if sample is not None)

    @property
    def _compressed_topic(self) -> str:
        return f"{self._image_topic}/compressed"

    def explain(self, decision: Decision) -> str:
        """A decision in words; of an input that has not come, who publishes on its topic now."""
        if decision.reason is Reason.NO_POSE:
            return f"{decision.message} Now {describe_topic(self._node, self._pose_topic, POSE_TYPE)}."
        if decision.reason is Reason.NO_IMAGE:
            return f"{decision.message} Now {self._describe_images()}."
        return decision.message

    def _describe_images(self) -> str:
        topics = {False: self._image_topic, True: self._compressed_topic}
        here, there = topics[self._compressed], topics[not self._compressed]
        found = describe_topic(self._node, here, IMAGE_TYPES[self._compressed])
        elsewhere = publishers_of(self._node, there)
        if not elsewhere:
            return found
        other = "raw" if self._compressed else "compressed"
        return f"{found}; {there} has {elsewhere}: is image_transport={other} meant?"

    @property
    def motion_allowed(self) -> bool | None:
        """Whether the robot admits motion; None while nobody says."""
        if self._permission is None and self._robot_mode is None:
            return None
        return not self.motion_refusal

    @property
    def motion_refusal(self) -> str:
        """Who does not admit motion, in words; empty when nobody objects."""
        refusals = []
        if self._permission is False:
            refusals.append(f"{self._settings.topics.motion_allowed} is false")
        if self._robot_mode not in (None, *MOVING_MODES):
            refusals.append(f"{self._settings.topics.robot_state} says {self._robot_mode}")
        return ", ".join(refusals)

    def forget(self) -> None:
        """Wait for new messages; what came before may be long past."""
        self.image: tuple[ImageSample, Any] | None = None
        self.pose: PoseSample | None = None
        self.gripper: GripperSample | None = None
        self.proposals.forget()

    def destroy(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_image(self, message: Image | CompressedImage) -> None:
        received = time.monotonic()
        digest = image_digest(message.data)
        self.image = (ImageSample(seconds(message.header.stamp), received, digest), message)

    def _on_pose(self, message: PoseStamped) -> None:
        self.pose = PoseSample(
            position=position_of(message),
            quaternion=quaternion_of(message),
            frame_id=message.header.frame_id,
            stamp=seconds(message.header.stamp),
            received=time.monotonic(),
        )

    def _on_joints(self, message: JointState) -> None:
        names = list(message.name)
        if self._settings.gripper_joint not in names:
            return  # others publish joints on this topic, too
        index = names.index(self._settings.gripper_joint)
        position = message.position[index] if index < len(message.position) else math.nan
        finger, guards = self._settings.finger, self._settings.supervisor
        found = check_gripper_joint(position, finger, frozenset() if guards is None else guards.ignore_sanity)
        self.gripper = GripperSample(
            finger.closedness(position),
            seconds(message.header.stamp),
            time.monotonic(),
            implausible="; ".join(map(str, found)),
        )

    def _on_motion_allowed(self, message: Bool) -> None:
        self._permission = message.data

    def _on_robot_state(self, message: Any) -> None:
        self._robot_mode = robot_mode(message)


def robot_mode(message: Any) -> str:
    """The name of a FrankaRobotState's mode, e.g. REFLEX."""
    for name in dir(message):
        if name.startswith(MODE_PREFIX) and getattr(message, name) == message.robot_mode:
            return name.removeprefix(MODE_PREFIX)
    return f"unknown mode {message.robot_mode}"
