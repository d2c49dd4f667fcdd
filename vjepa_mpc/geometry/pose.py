"""End-effector poses, and the actions between them.

A pose is [x, y, z, rx, ry, rz, g]: metres and extrinsic xyz Euler radians in the robot base frame, gripper closedness
0 (open) to 1 (closed). An action is what leads from one pose to the next. Source: upstream
``notebooks/utils/mpc_utils.py`` (``compute_new_pose``, ``poses_to_diff``), here batched and on the tensors' device.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

POSE_DIM = 7
# Below this cosine of the pitch roll and yaw turn about the same axis and only their combination is defined.
_GIMBAL_COSINE = 1e-7


def euler_to_matrix(euler: Tensor) -> Tensor:
    """Extrinsic xyz Euler angles [..., 3] in radians -> rotation matrices [..., 3, 3] (R = Rz Ry Rx)."""
    (sx, sy, sz), (cx, cy, cz) = euler.sin().unbind(-1), euler.cos().unbind(-1)
    rows = [
        torch.stack([cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx], dim=-1),
        torch.stack([sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx], dim=-1),
        torch.stack([-sy, cy * sx, cy * cx], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def matrix_to_euler(matrix: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] -> extrinsic xyz Euler angles [..., 3] in radians, each in (-pi, pi].

    At gimbal lock yaw is set to zero, as scipy does.
    """
    cos_pitch = torch.hypot(matrix[..., 0, 0], matrix[..., 1, 0])
    locked = cos_pitch < _GIMBAL_COSINE
    roll = torch.where(
        locked,
        torch.atan2(-matrix[..., 1, 2], matrix[..., 1, 1]),
        torch.atan2(matrix[..., 2, 1], matrix[..., 2, 2]),
    )
    pitch = torch.atan2(-matrix[..., 2, 0], cos_pitch)
    yaw = torch.where(locked, 0.0, torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]))
    return torch.stack([roll, pitch, yaw], dim=-1)


def integrate_pose(pose: Tensor, action: Tensor) -> Tensor:
    """The pose that an action leads to: p' = p + dp, R' = R(dr) R, g' = clip(g + dg, 0, 1).

    Args and result: [..., 7] on any device; the arithmetic is float64 (Euler angles near a pole need it), the result
    has the pose's dtype.
    """
    start, step = pose.double(), action.double()
    position = start[..., :3] + step[..., :3]
    euler = matrix_to_euler(euler_to_matrix(step[..., 3:6]) @ euler_to_matrix(start[..., 3:6]))
    closedness = (start[..., 6:] + step[..., 6:]).clamp(0.0, 1.0)
    return torch.cat([position, euler, closedness], dim=-1).to(pose.dtype)


def pose_difference(start: Tensor, end: Tensor) -> Tensor:
    """The action between two poses: dp = p2 - p1, dr = euler(R2 R1^T), dg = g2 - g1. Args and result [..., 7]."""
    first, second = start.double(), end.double()
    turn = euler_to_matrix(second[..., 3:6]) @ euler_to_matrix(first[..., 3:6]).mT
    position, closedness = second[..., :3] - first[..., :3], second[..., 6:] - first[..., 6:]
    return torch.cat([position, matrix_to_euler(turn), closedness], dim=-1).to(start.dtype)


def continue_branch(euler: Tensor, previous: Tensor) -> Tensor:
    """Add whole turns to Euler angles [..., 3] so that each stays within half a turn of the previous one.

    The gripper of a table-top arm points down, so its roll sits at pi, where a hair's breadth flips the sign of the
    angle and with it the state that the predictor sees.
    """
    return euler + 2 * math.pi * torch.round((previous - euler) / (2 * math.pi))


def pose_from_quaternion(position: np.ndarray, quaternion_xyzw: np.ndarray, closedness: float) -> np.ndarray:
    """A pose [7] float64 from what ROS messages carry; roll lies in (-pi/2, 3 pi/2] so that it does not flip at pi.

    Raises:
        ValueError: the quaternion has no direction (all zeros or not finite).
    """
    quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
    if not np.isfinite(quaternion).all() or np.linalg.norm(quaternion) < 1e-6:
        raise ValueError(
            f"quaternion {quaternion.tolist()} has no direction: publish a finite unit quaternion (x,y,z,w)"
        )
    euler = Rotation.from_quat(quaternion).as_euler("xyz")
    if euler[0] <= -math.pi / 2:
        euler[0] += 2 * math.pi
    return np.concatenate([np.asarray(position, dtype=np.float64), euler, [closedness]])


def quaternion_from_euler(euler: np.ndarray) -> np.ndarray:
    """Extrinsic xyz Euler radians [3] -> unit quaternion [4] in the order x, y, z, w."""
    return Rotation.from_euler("xyz", euler).as_quat()
