"""The newest message of each input, as the control loop wants them. Callbacks store and return."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Protocol

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.options import option
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.arrivals import Arrivals
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of, seconds
from vjepa_mpc.ros.common.graph import describe_topic, publishers_of
from vjepa_mpc.ros.common.hearing import Heard, Hearing, MessageInfo
from vjepa_mpc.ros.common.names import in_full
from vjepa_mpc.ros.planner.permission import Permissions
from vjepa_mpc.ros.planner.proposals import TOPIC as PROPOSALS
from vjepa_mpc.ros.planner.proposals import Proposals
from vjepa_mpc.ros.planner.transforms import Transforms
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import GripperSample, ImageSample, PermissionSample, PoseSample, image_digest
from vjepa_mpc.safety.sanity import check_gripper_joint
from vjepa_mpc.safety.supervisor import Decision

# Of FrankaRobotState. In all its other modes the robot does not obey, or its user moves it by hand.
MODE_PREFIX = "ROBOT_MODE_"
MOVING_MODES = ("IDLE", "MOVE")
LOSSES = 0.9  # share of the images below which their loss is told of
LARGE = 500_000  # bytes of an image that is sent in many fragments
LOST = (
    "best-effort raw pictures beyond 0.5 MB (640x480 has 0.9) are mostly lost: have the camera publish reliably, or "
    "smaller ones, or use image_transport=compressed"
)


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
    def frame_id(self) -> str:
        """The robot base frame."""

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
        arrivals: how many of the images come.
    """

    def __init__(self, node: Node, settings: InputSettings) -> None:
        self.proposals = Proposals(node, settings.supervisor)
        self.arrivals = Arrivals()
        self._robot_mode: str | None = None
        self._node = node
        self._settings = settings
        self._hearing = hearing = Hearing(node)
        self._transforms = Transforms(node, settings.frame_id)
        topics = settings.topics
        # Poses come first when both are waiting, so that an image is never compared with an older pose.
        self._pose_topic = hearing.listen(PoseStamped, topics.pose, self._on_pose)
        self._image_topic, self._other_image_topic = self._listen_to_images()
        self._permissions = Permissions(hearing, topics.motion_allowed)
        hearing.listen(Float64MultiArray, PROPOSALS, lambda message, _: self.proposals.on_message(message))
        self._joints_topic: Heard | None = None
        if settings.gripper_joint:
            self._joints_topic = hearing.listen(JointState, topics.joint_states, self._on_joints)
        self._robot_state: Heard | None = None
        if topics.robot_state:
            kind = optional_interfaces.franka_robot_state()
            self._robot_state = hearing.listen(kind, topics.robot_state, self._on_robot_state, everything=True)
        hearing.look()
        self.forget()

    def _listen_to_images(self) -> tuple[Heard, str]:
        """The topic that is listened to, and the name of the one where the other transport sends."""
        # As image_transport does: the base name is remapped, and the transport's name is added to what it becomes.
        raw = self._node.resolve_topic_name(self._settings.topics.image)
        compressed = f"{raw}/compressed"
        if self._settings.image_transport == "compressed":
            return self._hearing.listen(CompressedImage, compressed, self._on_image), raw
        return self._hearing.listen(Image, self._settings.topics.image, self._on_image), compressed

    @property
    def samples(self) -> tuple[Any, ...]:
        """The newest sample of every input that has come, for the supervisor."""
        image = self.image  # looked at before the pose, so that the pose is at least as new
        newest = (self._permission, self.pose, None if image is None else image[0], self.gripper)
        return tuple(sample for sample in newest if sample is not None)

    @property
    def unheard(self) -> str:
        """Who sends an input in a way that is not heard, in words; empty when nobody does."""
        return self._hearing.unheard

    @property
    def images(self) -> str:
        """How many of the images come, in words, and what to do where many are lost; "" before the second."""
        counted = self.arrivals.summary
        return f"{counted}; {LOST}" if self._are_missed and self._are_fragile else counted

    def explain(self, why: Decision | Violation) -> str:
        """In words for people; of an input that is missing, who publishes on its topic now."""
        topics = {
            Reason.NO_POSE: self._pose_topic,
            Reason.POSE_SILENT: self._pose_topic,
            Reason.NO_GRIPPER: self._joints_topic,
            Reason.GRIPPER_SILENT: self._joints_topic,
            Reason.GRIPPER_STALE: self._joints_topic,
            Reason.GRIPPER_NOT_FINITE: self._joints_topic,
            Reason.NO_MOTION_ALLOWED: self._permissions.topic,
            Reason.MOTION_ALLOWED_SILENT: self._permissions.topic,
        }
        words, topic = in_full(why.message, self._node), topics.get(why.reason)
        if why.reason in (Reason.NO_IMAGE, Reason.IMAGE_SILENT, Reason.IMAGE_STALE):
            return f"{words} Now {self._describe_images()}."
        return words if topic is None else f"{words} Now {self._describe(topic)}."

    def _describe(self, topic: Heard) -> str:
        return describe_topic(self._node, topic.name, topic.kind)

    def _describe_images(self) -> str:
        found = self._describe(self._image_topic)
        if self._are_missed:
            found = f"{found}; of the newest, {self.arrivals.summary}"
        if self._are_fragile:
            found = f"{found}; {LOST}"
        elsewhere = publishers_of(self._node, self._other_image_topic)
        if self.image is not None or not elsewhere:
            return found
        other = "raw" if self._settings.image_transport == "compressed" else "compressed"
        return f"{found}; {self._other_image_topic} has {elsewhere}: is image_transport={other} meant?"

    @property
    def _are_missed(self) -> bool:
        """Whether fewer images come than are published."""
        share = self.arrivals.share
        return share is not None and share < LOSSES

    @property
    def _are_fragile(self) -> bool:
        """Whether images are sent in many fragments, of which a lost one is not sent again."""
        topic, newest = self._image_topic, self.image
        large = newest is None or len(newest[1].data) > LARGE
        return large and self._settings.image_transport == "raw" and bool(topic.publishers) and not topic.reliable

    @property
    def _permission(self) -> PermissionSample:
        """What everybody says about motion."""
        return PermissionSample(self._permissions.topic.name, self._permissions.voices, self._objections)

    @property
    def _objections(self) -> tuple[str, ...]:
        """What the robot's mode has against motion; it has to be known where it is asked for."""
        topic = self._robot_state
        if topic is None or self._robot_mode in MOVING_MODES:
            return ()
        if self._robot_mode is None:
            return (f"nothing has come over {topic.name} (topics.robot_state), and {self._describe(topic)}",)
        return (f"{topic.name} says {self._robot_mode}",)

    def forget(self) -> None:
        """Wait for new messages; what came before may be long past."""
        self.image: tuple[ImageSample, Any] | None = None
        self.pose: PoseSample | None = None
        self.gripper: GripperSample | None = None
        self.proposals.forget()
        self._permissions.forget_gone()

    def destroy(self) -> None:
        """End the subscriptions."""
        self._hearing.destroy()
        self._transforms.close()

    def _on_image(self, message: Image | CompressedImage, info: MessageInfo) -> None:
        received = time.monotonic()
        self.arrivals.came(received, len(message.data), info)
        digest = image_digest(message.data)
        self.image = (ImageSample(seconds(message.header.stamp), received, digest), message)

    def _on_pose(self, message: PoseStamped, _: MessageInfo) -> None:
        sample = PoseSample(
            position=position_of(message),
            quaternion=quaternion_of(message),
            frame_id=message.header.frame_id,
            stamp=seconds(message.header.stamp),
            received=time.monotonic(),
        )
        self.pose = self._transforms.to_base(sample, message)

    def _on_joints(self, message: JointState, _: MessageInfo) -> None:
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

    def _on_robot_state(self, message: Any, _: MessageInfo) -> None:
        self._robot_mode = robot_mode(message)


def robot_mode(message: Any) -> str:
    """The name of a FrankaRobotState's mode, e.g. REFLEX."""
    for name in dir(message):
        if name.startswith(MODE_PREFIX) and getattr(message, name) == message.robot_mode:
            return name.removeprefix(MODE_PREFIX)
    return f"unknown mode {message.robot_mode}"
