"""The posture that the driver sends the arm to is the one that the simulator's pictures show."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")

from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.inverse_kinematics import PostureFinder, TargetError
from vjepa_mpc.sim.config import SimConfig
from vjepa_mpc.sim.kinematics import ArmKinematics
from vjepa_mpc.sim.scene import ARM_JOINTS, build_model

pytestmark = pytest.mark.sim
DOWN = np.array([1.0, 0.0, 0.0, 0.0])


class FiniteDifferences:
    """The simulator's kinematics with a Jacobian of its own making."""

    def __init__(self, arm: ArmKinematics) -> None:
        self._arm = arm

    def pose(self, joints: np.ndarray) -> np.ndarray:
        matrix = np.eye(4)
        matrix[:3, 3], matrix[:3, :3] = self._arm.forward(joints)
        return matrix

    def jacobian(self, joints: np.ndarray, step: float = 1e-6) -> np.ndarray:
        here = self.pose(joints)
        columns = []
        for change in step * np.eye(7):
            there = self.pose(joints + change)
            turn = Rotation.from_matrix(there[:3, :3] @ here[:3, :3].T).as_rotvec()
            columns.append(np.concatenate([there[:3, 3] - here[:3, 3], turn]) / step)
        return np.column_stack(columns)


@pytest.fixture(scope="module")
def model():
    return build_model(SimConfig())


@pytest.fixture
def finder(model) -> PostureFinder:
    limits = np.array([model.joint(name).range for name in ARM_JOINTS]).T
    return PostureFinder(FiniteDifferences(ArmKinematics(model)), (limits[0], limits[1]))


def test_postures_are_the_simulators_whatever_was_asked_before(model, finder: PostureFinder) -> None:
    rng = np.random.default_rng(0)
    arm, workspace = ArmKinematics(model), SimConfig().workspace
    for _ in range(20):
        position = rng.uniform(workspace.low, workspace.high)
        turn = Rotation.from_rotvec(rng.uniform(-0.2, 0.2, 3)) * Rotation.from_quat(DOWN)
        expected = arm.inverse(np.concatenate([position, turn.as_euler("xyz")]))
        np.testing.assert_allclose(finder.find(position, turn.as_quat()), expected, atol=1e-4)


def test_poses_out_of_reach_are_refused(finder: PostureFinder) -> None:
    with pytest.raises(TargetError, match=r"no posture reaches \[1.5"):
        finder.find(np.array([1.5, 0.0, 0.3]), DOWN)


def test_poses_beyond_a_joints_limit_are_refused(finder: PostureFinder) -> None:
    turned = (Rotation.from_euler("z", -160, degrees=True) * Rotation.from_quat(DOWN)).as_quat()
    with pytest.raises(TargetError, match="joint"):
        finder.find(np.array([0.5, 0.0, 0.2]), turned)


def test_a_refused_pose_does_not_spoil_the_next(finder: PostureFinder) -> None:
    before = finder.find(np.array([0.5, 0.0, 0.2]), DOWN)
    with pytest.raises(TargetError):
        finder.find(np.array([1.5, 0.0, 0.3]), DOWN)
    np.testing.assert_allclose(finder.find(np.array([0.5, 0.0, 0.2]), DOWN), before, atol=1e-5)
