"""Forward and inverse kinematics of the arm, with a posture that depends on the end-effector pose alone.

The FR3 has seven joints for six coordinates: its elbow can swing while the gripper stands still. A goal picture shows
one elbow, so the arm must come back with the same one whatever way it took. Every solution therefore starts from one
home posture and is drawn back to it along the free direction: the result is the posture closest to home that has the
wanted pose.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin  # type: ignore[import-untyped]
from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.inverse_kinematics import HOME_POSTURE, posture_step
from vjepa_mpc.sim.scene import ARM_JOINTS, TCP_SITE, mujoco

DOWN = (math.pi, 0.0, 0.0)  # extrinsic xyz Euler angles of the gripper pointing down, fingers along y

_ITERATIONS = 40
_TOLERANCE = 1e-6  # metres and radians
_HOME = np.array(HOME_POSTURE)


class ArmKinematics:
    """Kinematics of the tool centre point (Franka's hand frame, 0.1034 m beyond the flange of the hand).

    Built from the compiled MuJoCo model, so that the two can never disagree.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = pin.Model()
        joint = 0
        for name in ARM_JOINTS:
            body = model.joint(name).bodyid[0]
            placement = _placement(model.body_pos[body], model.body_quat[body])
            joint = self._model.addJoint(joint, pin.JointModelRZ(), placement, name)
        hand = model.body("hand")
        tcp = _placement(hand.pos, hand.quat) * _placement(model.site(TCP_SITE).pos, model.site(TCP_SITE).quat)
        self._frame = self._model.addFrame(pin.Frame(TCP_SITE, joint, tcp, pin.FrameType.OP_FRAME))
        self._data = self._model.createData()
        limits = np.array([model.joint(name).range for name in ARM_JOINTS])
        self._low, self._high = limits[:, 0], limits[:, 1]

    def forward(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint angles [7] -> position [3] and rotation matrix [3, 3] of the tool centre point."""
        pin.framesForwardKinematics(self._model, self._data, joints)
        placement = self._data.oMf[self._frame]
        return placement.translation.copy(), placement.rotation.copy()

    def inverse(self, pose: np.ndarray) -> np.ndarray:
        """Joint angles [7] for a pose [6 or 7]; out of reach, the posture that comes closest to it.

        Raises:
            ValueError: the pose is not finite.
        """
        if not np.isfinite(pose[:6]).all():
            raise ValueError(f"pose {np.asarray(pose).tolist()} is not finite: send metres and radians")
        target = pin.SE3(Rotation.from_euler("xyz", pose[3:6]).as_matrix(), np.asarray(pose[:3], dtype=float))
        joints = _HOME.copy()
        for _ in range(_ITERATIONS):
            pin.computeJointJacobians(self._model, self._data, joints)
            pin.updateFramePlacement(self._model, self._data, self._frame)
            jacobian = pin.getFrameJacobian(self._model, self._data, self._frame, pin.ReferenceFrame.LOCAL)
            error = pin.log6(self._data.oMf[self._frame].actInv(target)).vector
            step = posture_step(jacobian, error, _HOME - joints)
            joints = np.clip(joints + step, self._low, self._high)
            if np.abs(step).max() < _TOLERANCE:
                break
        return joints


def _placement(position: np.ndarray, quaternion_wxyz: np.ndarray) -> pin.SE3:
    return pin.SE3(Rotation.from_quat(np.roll(quaternion_wxyz, -1)).as_matrix(), np.asarray(position, dtype=float))
