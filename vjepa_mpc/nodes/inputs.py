"""The newest message of each input, as the control loop wants them. Callbacks store and return."""

from __future__ import annotations

import math
import time
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool

from vjepa_mpc.control.samples import GripperSample, ImageSample, PoseSample, image_digest
from vjepa_mpc.nodes.conversions import position_of, quaternion_of, seconds
from vjepa_mpc.nodes.parameters import Settings

# A reliable subscriber gets nothing from best-effort publishers, as franka_ros2's pose is; a best-effort one gets all.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Inputs:
    """Subscriptions and what came over them last.

    Attributes (each replaced as a whole, so that any thread may read it):
        image: sample and message, None before the first one.
        pose: newest pose, None before the first one.
        gripper: newest finger position as closedness, None before the first one.
        motion_allowed: what the robot's mode admits, None while nobody says.
    """

    def __init__(self, node: Node, settings: Settings) -> None:
        self.forget()
        self.motion_allowed: bool | None = None
        self._node = node
        self._settings = settings
        compressed = settings.image_transport == "compressed"
        topics = settings.topics
        kind, image = (CompressedImage, f"{topics.image}/compressed") if compressed else (Image, topics.image)
        self._subscriptions = [
            # Poses come first when both are waiting, so that an image is never compared with an older pose.
            node.create_subscription(PoseStamped, topics.pose, self._on_pose, NEWEST),
            node.create_subscription(kind, image, self._on_image, NEWEST),
            node.create_subscription(Bool, topics.motion_allowed, self._on_motion_allowed, 1),
        ]
        if settings.gripper_joint:
            self._subscriptions.append(
                node.create_subscription(JointState, topics.joint_states, self._on_joints, NEWEST)
            )

    def forget(self) -> None:
        """Wait for new messages; what came before may be long past."""
        self.image: tuple[ImageSample, Any] | None = None
        self.pose: PoseSample | None = None
        self.gripper: GripperSample | None = None

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
        closedness = self._settings.finger.closedness(position)
        self.gripper = GripperSample(closedness, seconds(message.header.stamp), time.monotonic())

    def _on_motion_allowed(self, message: Bool) -> None:
        self.motion_allowed = message.data
