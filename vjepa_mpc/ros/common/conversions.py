"""Between ROS messages and what the core works with: poses, proposals, seconds.

Functions on message objects; nothing here talks to ROS.
"""

from __future__ import annotations

import math

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TwistStamped
from std_msgs.msg import Float64MultiArray

# What a proposals message is described by, and the most that the planner predicts of them beside its own candidates.
PROPOSAL_DIMENSIONS = ("proposal", "step", "action")
MAX_PROPOSALS, MAX_PROPOSED_STEPS = 1000, 64


def seconds(stamp: Time) -> float:
    """A ROS time stamp in seconds."""
    return stamp.sec + 1e-9 * stamp.nanosec


def position_of(message: PoseStamped) -> np.ndarray:
    """The position [3] in metres of a pose message, unchecked."""
    point = message.pose.position
    return np.array([point.x, point.y, point.z])


def quaternion_of(message: PoseStamped) -> np.ndarray:
    """The orientation [4] (x, y, z, w) of a pose message, unchecked."""
    turn = message.pose.orientation
    return np.array([turn.x, turn.y, turn.z, turn.w])


def pose_message(position: np.ndarray, quaternion_xyzw: np.ndarray, frame_id: str, stamp: Time) -> PoseStamped:
    """A pose message from a position [3] in metres and a unit quaternion [4] (x, y, z, w)."""
    message = PoseStamped()
    message.header.frame_id, message.header.stamp = frame_id, stamp
    point, turn = message.pose.position, message.pose.orientation
    point.x, point.y, point.z = (float(value) for value in position)
    turn.x, turn.y, turn.z, turn.w = (float(value) for value in quaternion_xyzw)
    return message


def proposals_of(message: Float64MultiArray) -> np.ndarray:
    """The proposals [P, H, 7] of a message, as :class:`~vjepa_mpc.controller.step.Observation` takes them.

    Raises:
        ValueError: layout and data do not agree, there are too many, or the values are not usable.
    """
    layout, wanted = message.layout, ", ".join(PROPOSAL_DIMENSIONS)
    labels, shape = [dim.label for dim in layout.dim], tuple(dim.size for dim in layout.dim)
    if tuple(labels) != PROPOSAL_DIMENSIONS:
        raise ValueError(f"layout.dim is labelled {labels}: give three dimensions labelled {wanted}, row-major")
    if layout.data_offset or math.prod(shape) != len(message.data):
        sizes = f"sizes {list(shape)} and data_offset={layout.data_offset}"
        raise ValueError(f"{len(message.data)} numbers do not fit {sizes}: give all of P x H x 7 and no offset")
    if shape[0] > MAX_PROPOSALS or shape[1] > MAX_PROPOSED_STEPS:
        most = f"{MAX_PROPOSALS} of {MAX_PROPOSED_STEPS} steps"
        raise ValueError(f"{shape[0]} proposals of {shape[1]} steps are more than {most}: send the best ones")
    from vjepa_mpc.controller.step import check_proposals  # loads torch, which most of the nodes can do without

    return check_proposals(np.array(message.data).reshape(shape))


def twist_message(linear: np.ndarray, angular: np.ndarray, frame_id: str, stamp: Time) -> TwistStamped:
    """A velocity message from m/s [3] and rad/s [3]."""
    message = TwistStamped()
    message.header.frame_id, message.header.stamp = frame_id, stamp
    for part, values in ((message.twist.linear, linear), (message.twist.angular, angular)):
        part.x, part.y, part.z = (float(value) for value in values)
    return message
