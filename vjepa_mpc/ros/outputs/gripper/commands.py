"""Gripper commands on a topic, as ros2_control's forward_command_controller takes them."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Float64MultiArray

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.ros.outputs.interface import NEWEST, GripperOutput
from vjepa_mpc.safety.guards.violation import Violation


class GripperTopic(GripperOutput):
    """Finger positions as ``std_msgs/Float64MultiArray``, mute while the node is not active. Nobody answers."""

    def __init__(self, node: LifecycleNode, name: str, finger: GripperJoint, options: Any = None) -> None:
        self._node, self._finger = node, finger
        self._publisher = node.create_lifecycle_publisher(Float64MultiArray, name, NEWEST)

    def command(self, closedness: float) -> None:
        """Have the fingers go to a closedness."""
        self._publisher.publish(Float64MultiArray(data=[self._finger.position(closedness)]))

    def trouble(self) -> Violation | None:
        """Nothing is known."""
        return None

    def destroy(self) -> None:
        """End the publisher."""
        self._node.destroy_lifecycle_publisher(self._publisher)
