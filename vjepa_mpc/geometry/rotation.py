"""Rotations: extrinsic xyz Euler angles in radians (R = Rz Ry Rx), matrices, and how they are kept in one branch.

PyTorch is imported by the functions that take tensors: nodes that have none, such as the simulator and the recorder,
start in half the time and need half the memory without it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from torch import Tensor

# Below this cosine of the pitch roll and yaw turn about the same axis and only their combination is defined.
_GIMBAL_COSINE = 1e-7


def euler_to_matrix(euler: Tensor) -> Tensor:
    """Extrinsic xyz Euler angles [..., 3] in radians -> rotation matrices [..., 3, 3] (R = Rz Ry Rx)."""
    import torch

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
    import torch

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


def continue_branch(euler: Tensor, previous: Tensor) -> Tensor:
    """Add whole turns to Euler angles [..., 3] so that each stays within half a turn of the previous one.

    The gripper of a table-top arm points down, so its roll sits at pi, where a hair's breadth flips the sign of the
    angle and with it the state that the predictor sees.
    """
    return euler + 2 * math.pi * ((previous - euler) / (2 * math.pi)).round()


def unflipped_euler(rotation: Rotation) -> np.ndarray:
    """Euler angles float64 [3], or [K, 3] of K rotations, with the roll in (-pi/2, 3 pi/2].

    There the roll of a gripper that points down never flips.
    """
    euler = rotation.as_euler("xyz")
    euler[..., 0] += np.where(euler[..., 0] <= -math.pi / 2, 2 * math.pi, 0.0)
    return euler


def quaternion_from_euler(euler: np.ndarray) -> np.ndarray:
    """Extrinsic xyz Euler radians [3] -> unit quaternion [4] in the order x, y, z, w."""
    return Rotation.from_euler("xyz", euler).as_quat()


def check_rotation(rotation: np.ndarray | None) -> np.ndarray:
    """A rotation matrix [3, 3] float64, the identity for None.

    Raises:
        ValueError: it is not a proper rotation.
    """
    if rotation is None:
        return np.eye(3)
    matrix = np.array(rotation, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4) or np.linalg.det(matrix) < 0:
        raise ValueError(f"action rotation {matrix.tolist()}: give a proper rotation matrix [3, 3], or none")
    return matrix
