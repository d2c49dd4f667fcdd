from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.quaternion import from_rotation_vector, quaternion_multiply, rotation_between, rotation_vector


def test_operations_agree_with_scipy():
    rng = np.random.default_rng(0)
    first, second = Rotation.random(50, random_state=1), Rotation.random(50, random_state=2)
    for a, b in zip(first, second, strict=True):
        product = quaternion_multiply(b.as_quat(), a.as_quat())
        assert np.allclose(Rotation.from_quat(product).as_matrix(), (b * a).as_matrix())
        assert np.allclose(rotation_vector(a.as_quat()), a.as_rotvec())
        assert np.allclose(rotation_between(a.as_quat(), b.as_quat()), (b * a.inv()).as_rotvec())
        assert np.allclose(rotation_vector(-a.as_quat()), a.as_rotvec())
    for scale in (0.0, 1e-13, 1e-6, 1.0):
        vector = scale * rng.standard_normal(3)
        assert np.allclose(rotation_vector(from_rotation_vector(vector)), vector, atol=1e-15)


def test_states_go_there_and_back_with_the_roll_in_one_branch():
    for roll in (np.pi - 1e-3, np.pi + 1e-3):
        state = np.array([0.5, 0.1, 0.2, roll, 0.05, -0.3, 0.4])
        assert np.allclose(CartesianPose.from_state(state).state(0.4), state)


def test_distance_and_angle():
    a = CartesianPose.from_state(np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0]))
    b = CartesianPose.from_state(np.array([0.5, 0.3, 0.6, np.pi, 0.0, 0.2]))
    assert a.distance(b) == pytest.approx(0.5)
    assert a.angle(b) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("position", "quaternion", "words"),
    [
        ([0.5, np.nan, 0.2], [1, 0, 0, 0], "finite"),
        ([0.5, 0.0], [1, 0, 0, 0], "three"),
        ([0.5, 0.0, 0.2], [0, 0, 0, 0], "norm 0"),
        ([0.5, 0.0, 0.2], [2, 0, 0, 0], "norm 2"),
        ([0.5, 0.0, 0.2], [np.nan, 0, 0, 1], "norm nan"),
    ],
)
def test_bad_poses_are_named(position, quaternion, words):
    with pytest.raises(ValueError, match=words):
        CartesianPose(np.array(position), np.array(quaternion, dtype=float))
