"""Rotations: near the gimbal lock, across the branch at pi, and matrices that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vjepa_mpc.geometry.pose import pose_from_quaternion
from vjepa_mpc.geometry.rotation import (
    check_rotation,
    continue_branch,
    euler_to_matrix,
    matrix_to_euler,
    quaternion_from_euler,
)


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
def test_gimbal_lock_keeps_the_rotation(pitch: float) -> None:
    matrix = euler_to_matrix(torch.tensor([0.3, pitch, 0.5], dtype=torch.float64))
    assert torch.allclose(euler_to_matrix(matrix_to_euler(matrix)), matrix, atol=1e-7)


def test_euler_angles_stay_in_the_branch_of_the_previous_ones() -> None:
    previous = torch.tensor([math.pi - 0.01, 0.0, 0.0])
    turned = torch.tensor([-math.pi + 0.01, 0.0, 0.0])  # a hair's breadth further
    assert torch.allclose(continue_branch(turned, previous), torch.tensor([math.pi + 0.01, 0.0, 0.0]))


def test_quaternions_go_there_and_back() -> None:
    euler = np.array([3.0, 0.2, -1.0])
    assert pose_from_quaternion(np.zeros(3), quaternion_from_euler(euler), 0.0)[3:6] == pytest.approx(euler)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), 2.0 * np.eye(3), np.diag([1.0, 1.0, -1.0]), np.eye(4)])
def test_what_is_no_rotation_is_refused_with_its_values(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="proper rotation matrix"):
        check_rotation(matrix)


def test_no_rotation_is_the_identity() -> None:
    assert (check_rotation(None) == np.eye(3)).all()
