"""The simulated robot behind the libfranka protocol, without a client."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")

from vjepa_mpc.sim import FrankaSim, SimConfig
from vjepa_mpc.sim.libfranka import LibfrankaSim

pytestmark = pytest.mark.sim
ADDRESS = f"127.1.{os.getpid() % 250}.1"
SMALL = SimConfig(image_size=64)


@pytest.fixture(scope="module")
def served() -> Iterator[LibfrankaSim]:
    with LibfrankaSim(SMALL, ADDRESS) as sim:
        yield sim


def test_arm_stays_where_it_is_put(served: LibfrankaSim) -> None:
    pose = np.array([0.45, 0.08, 0.12, np.pi, 0.0, 0.0, 0.0])
    served.reset(pose=pose, block_position=np.array([0.6, -0.1]), block_yaw=0.0)
    before = served.pose
    np.testing.assert_allclose(before[:3], pose[:3], atol=1e-3)
    served.step(0.2)
    np.testing.assert_allclose(served.pose, before, atol=1e-3)
    np.testing.assert_allclose(served.block_pose[:2], [0.6, -0.1], atol=1e-3)


def test_pictures_are_those_of_the_everyday_simulator(served: LibfrankaSim) -> None:
    start = {"pose": np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0]), "block_position": np.array([0.45, 0.1])}
    served.reset(**start, block_yaw=0.1)
    goal = np.array([0.6, -0.1, 0.1, np.pi, 0.0, 0.0, 1.0])
    with FrankaSim(SMALL) as everyday:
        everyday.reset(**start, block_yaw=0.1)
        np.testing.assert_array_equal(served.goal_image(goal), everyday.goal_image(goal))
        difference = np.abs(served.render().astype(int) - everyday.render())
    assert difference.mean() < 0.5
    assert served.camera_intrinsics == everyday.camera_intrinsics


def test_goal_pictures_leave_the_arm_alone(served: LibfrankaSim) -> None:
    before = served.pose
    served.goal_image(np.array([0.6, 0.1, 0.2, np.pi, 0.0, 0.0, 0.0]))
    served.step(0.05)
    np.testing.assert_allclose(served.pose, before, atol=1e-3)


def test_taken_address_is_refused_with_a_remedy(served: LibfrankaSim) -> None:
    with pytest.raises(OSError, match="choose another address"):
        LibfrankaSim(SMALL, ADDRESS)
