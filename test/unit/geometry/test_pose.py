"""Poses and actions: inverse of one another, near the gimbal lock, and across the branch at pi."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.pose import (
    integrate_pose,
    next_pose,
    pose_difference,
    pose_from_matrix,
    pose_from_quaternion,
)
from vjepa_mpc.geometry.rotation import euler_to_matrix


def random_poses(count: int, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    euler = Rotation.random(count, rng=random).as_euler("xyz")
    return torch.from_numpy(np.hstack([random.uniform(-1, 1, (count, 3)), euler, random.uniform(0, 1, (count, 1))]))


def test_integrating_the_difference_of_two_poses_leads_from_one_to_the_other() -> None:
    start, end = random_poses(200, 1).unbind(0)[:100], random_poses(200, 2).unbind(0)[:100]
    first, second = torch.stack(start), torch.stack(end)
    reached = integrate_pose(first, pose_difference(first, second))
    assert torch.allclose(reached[:, [0, 1, 2, 6]], second[:, [0, 1, 2, 6]])
    assert torch.allclose(euler_to_matrix(reached[:, 3:6]), euler_to_matrix(second[:, 3:6]), atol=1e-9)


def test_gripper_saturates() -> None:
    pose = torch.tensor([0.0, 0, 0, 0, 0, 0, 0.8])
    assert integrate_pose(pose, torch.tensor([0.0, 0, 0, 0, 0, 0, 0.75]))[6] == 1.0
    assert integrate_pose(pose, torch.tensor([0.0, 0, 0, 0, 0, 0, -2.0]))[6] == 0.0


def test_any_leading_dimensions_and_dtype_are_kept() -> None:
    poses = random_poses(6).float().reshape(2, 3, 7)
    assert integrate_pose(poses, torch.zeros_like(poses)).shape == (2, 3, 7)
    assert integrate_pose(poses, torch.zeros_like(poses)).dtype == torch.float32


def test_the_next_pose_stays_in_the_branch_of_the_pose_before() -> None:
    pose = torch.tensor([0.5, 0.0, 0.2, math.pi - 0.01, 0.0, 0.0, 0.0], dtype=torch.float64)
    turn = torch.tensor([0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert integrate_pose(pose, turn)[3] == pytest.approx(-math.pi + 0.01)
    assert next_pose(pose, turn)[3] == pytest.approx(math.pi + 0.01)
    assert next_pose(pose.expand(2, 3, 7), turn).shape == (2, 3, 7)


@pytest.mark.parametrize("wobble", [-0.02, 0.02])
def test_a_down_pointing_gripper_never_flips_the_sign_of_its_roll(wobble: float) -> None:
    quaternion = Rotation.from_euler("xyz", [math.pi + wobble, 0.0, 0.1]).as_quat()
    for sign in (1, -1):  # both quaternions mean the same rotation
        pose = pose_from_quaternion(np.array([0.5, 0.0, 0.2]), sign * quaternion, 0.3)
        assert pose == pytest.approx([0.5, 0.0, 0.2, math.pi + wobble, 0.0, 0.1, 0.3])
        matrix = Rotation.from_quat(quaternion).as_matrix()
        assert pose_from_matrix(np.array([0.5, 0.0, 0.2]), matrix, 0.3) == pytest.approx(pose)


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [math.nan, 0, 0, 1]])
def test_a_quaternion_without_direction_is_refused(quaternion: list[float]) -> None:
    with pytest.raises(ValueError, match="no direction"):
        pose_from_quaternion(np.zeros(3), np.array(quaternion), 0.0)
