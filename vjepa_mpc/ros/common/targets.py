"""Checking the target poses that nodes are sent."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped

from vjepa_mpc.geometry.quaternion import UNIT_TOLERANCE
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of

TARGET = "target_pose"
"""Name, before remapping, of the topic that an arm's node is led by."""
GRIPPER = "gripper_position_controller/commands"
"""The same of its fingers."""


def target_problem(message: PoseStamped, frame_id: str) -> str:
    """What is wrong with a target pose in itself, in words with the values; empty when nothing is."""
    numbers = np.concatenate([position_of(message), quaternion_of(message)])
    if not np.isfinite(numbers).all():
        return f"it is not finite ({numbers.tolist()})"
    if abs(np.linalg.norm(numbers[3:]) - 1.0) > UNIT_TOLERANCE:
        return f"the quaternion {numbers[3:].tolist()} is not of unit length"
    if message.header.frame_id != frame_id:
        return f"frame_id is '{message.header.frame_id}' instead of '{frame_id}'"
    return ""
