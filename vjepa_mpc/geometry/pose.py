"""End-effector poses, and the actions between them.

A pose is [x, y, z, rx, ry, rz, g]: metres and extrinsic xyz Euler radians in the robot base frame, gripper closedness
0 (open) to 1 (closed). An action is what leads from one pose to the next. Arrays are float64, the planner's tensors
float32. Source: upstream
``notebooks/utils/mpc_utils.py`` (``compute_new_pose``, ``poses_to_diff``), here batched and on the tensors' device.
PyTorch is imported where it is used, as in :mod:`vjepa_mpc.geometry.rotation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.rotation import continue_branch, euler_to_matrix, matrix_to_euler, unflipped_euler

if TYPE_CHECKING:
    from torch import Tensor

POSE_DIM = 7

FARTHEST = 10.0
"""Metres that no hand of an arm is from its base; positions in centimetres or millimetres are more."""

_MOST_TURN = 4.0 * np.pi  # radians; unwrapped angles may go round twice, degrees are more
_CLOSEDNESS_SLACK = 0.05  # what a noisy finger sensor may lie outside of 0 to 1


def integrate_pose(pose: Tensor, action: Tensor) -> Tensor:
    """The pose that an action leads to: p' = p + dp, R' = R(dr) R, g' = clip(g + dg, 0, 1).

    Args and result: [..., 7] tensors (x, y, z in metres, radians, closedness; robot base frame; see the module) on any
    device; the arithmetic is float64 (Euler angles near a pole need it), the result has the pose's dtype.
    """
    import torch

    start, step = pose.double(), action.double()
    position = start[..., :3] + step[..., :3]
    euler = matrix_to_euler(euler_to_matrix(step[..., 3:6]) @ euler_to_matrix(start[..., 3:6]))
    closedness = (start[..., 6:] + step[..., 6:]).clamp(0.0, 1.0)
    return torch.cat([position, euler, closedness], dim=-1).to(pose.dtype)


def pose_difference(start: Tensor, end: Tensor) -> Tensor:
    """The action between two poses: dp = p2 - p1, dr = euler(R2 R1^T), dg = g2 - g1.

    Args and result: [..., 7] tensors (metres, radians, closedness; see the module) on any device.
    """
    import torch

    first, second = start.double(), end.double()
    turn = euler_to_matrix(second[..., 3:6]) @ euler_to_matrix(first[..., 3:6]).mT
    position, closedness = second[..., :3] - first[..., :3], second[..., 6:] - first[..., 6:]
    return torch.cat([position, matrix_to_euler(turn), closedness], dim=-1).to(start.dtype)


def next_pose(pose: Tensor, action: Tensor) -> Tensor:
    """:func:`integrate_pose` with the Euler angles in the branch of the pose that they come from; [..., 7] each."""
    import torch

    moved = integrate_pose(pose, action)
    return torch.cat([moved[..., :3], continue_branch(moved[..., 3:6], pose[..., 3:6]), moved[..., 6:]], dim=-1)


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
    return _pose(position, Rotation.from_quat(quaternion), closedness)


def pose_from_matrix(position: np.ndarray, rotation: np.ndarray, closedness: float) -> np.ndarray:
    """A pose [7] float64 from a position [3] and a rotation matrix [3, 3]; roll lies in (-pi/2, 3 pi/2]."""
    return _pose(position, Rotation.from_matrix(rotation), closedness)


def _pose(position: np.ndarray, rotation: Rotation, closedness: float) -> np.ndarray:
    return np.concatenate([np.asarray(position, dtype=np.float64), unflipped_euler(rotation), [closedness]])


def check_poses(poses: np.ndarray, what: str) -> None:
    """Refuse recorded poses [..., 7] float64 whose numbers cannot be those of :mod:`vjepa_mpc.geometry.pose`.

    Raises:
        ValueError: with ``what`` they are, the number, and the unit that is expected.
    """
    if not np.isfinite(poses).all():
        raise ValueError(f"{what}: not all numbers are finite")
    far, turn = np.abs(poses[..., :3]).max(initial=0.0), np.abs(poses[..., 3:6]).max(initial=0.0)
    closed = poses[..., 6]
    if far > FARTHEST:
        raise ValueError(f"{what}: a position of {far:.4g}: give metres in the robot base frame")
    if turn > _MOST_TURN:
        raise ValueError(f"{what}: an angle of {turn:.4g}: give extrinsic xyz Euler angles in radians")
    if closed.size and (closed.min() < -_CLOSEDNESS_SLACK or closed.max() > 1.0 + _CLOSEDNESS_SLACK):
        raise ValueError(
            f"{what}: gripper values from {closed.min():.4g} to {closed.max():.4g}: give the closedness, 0 open to 1 "
            "closed"
        )
