"""Which of its many postures a seven-joint arm takes at a pose, chosen so that it never depends on the way there.

The elbow of a Franka can swing while the gripper stands still, and goal pictures show one elbow. The simulator
(:mod:`vjepa_mpc.sim.kinematics`) takes the posture closest to one home posture, in data, goals and control; an arm
driven through libfranka does the same when it is sent to that posture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

# The elbow in the middle plane, the gripper pointing down over the middle of the table: as in the simulator.
HOME_POSTURE = (0.0, 0.1984, 0.0, -2.3286, 0.0, 2.5269, np.pi / 4)

_ITERATIONS = 40
_TOLERANCE = 1e-5  # radians
_MISS = 1e-3  # metres and radians: farther from the pose than this, it is out of reach
_DAMPING = 1e-6
_LONGEST_STEP = 0.5  # radians a joint moves in one iteration


class Kinematics(Protocol):
    """The arm's geometry."""

    def pose(self, joints: np.ndarray) -> np.ndarray:
        """Joint angles [7] -> homogeneous matrix [4, 4] of the end effector in the base frame."""

    def jacobian(self, joints: np.ndarray) -> np.ndarray:
        """Joint angles [7] -> [6, 7]: velocity (m/s) over angular velocity (rad/s), both in base axes."""


class TargetError(ValueError):
    """A pose that the arm cannot take."""


class PostureFinder:
    """Finds the posture closest to home that has a given pose; quick when the pose is near the one asked for before.

    Args:
        kinematics: of the arm.
        limits: lower and upper joint angles, each [7], in radians.
        home: joint angles [7] in radians.
    """

    def __init__(
        self, kinematics: Kinematics, limits: tuple[np.ndarray, np.ndarray], home: Sequence[float] = HOME_POSTURE
    ) -> None:
        self._kinematics = kinematics
        self._low, self._high = limits
        self._home = np.asarray(home, dtype=float)
        self._last = self._home

    def find(self, position: np.ndarray, quaternion_xyzw: np.ndarray) -> np.ndarray:
        """Joint angles [7] for a pose (metres, unit quaternion).

        Raises:
            TargetError: out of reach, or only with a joint beyond its limit.
        """
        rotation = Rotation.from_quat(quaternion_xyzw)
        for start in (self._last, self._home):
            joints = self._descend(np.asarray(position, dtype=float), rotation, start)
            if joints is not None:
                break
        else:
            raise TargetError(f"no posture reaches {np.round(position, 3).tolist()} with this orientation")
        if np.any(joints < self._low) or np.any(joints > self._high):
            outside = np.flatnonzero((joints < self._low) | (joints > self._high)) + 1
            raise TargetError(f"{np.round(position, 3).tolist()} needs joint {outside[0]} beyond its limit")
        self._last = joints
        return joints

    def _descend(self, position: np.ndarray, rotation: Rotation, start: np.ndarray) -> np.ndarray | None:
        joints = start.copy()
        for _ in range(_ITERATIONS):
            now = self._kinematics.pose(joints)
            turn = (rotation * Rotation.from_matrix(now[:3, :3]).inv()).as_rotvec()
            error = np.concatenate([position - now[:3, 3], turn])
            step = posture_step(self._kinematics.jacobian(joints), error, self._home - joints)
            joints = joints + step
            if np.abs(step).max() < _TOLERANCE:
                return joints if np.abs(error).max() < _MISS else None
        return None


def posture_step(jacobian: np.ndarray, error: np.ndarray, homewards: np.ndarray) -> np.ndarray:
    """One step of the joints [7] in radians: towards the pose, and home along what leaves the pose alone.

    Damped least squares for the pose; the joints' free direction (the elbow's swing) goes home.

    Args:
        jacobian: [6, 7], linear (m) over angular (rad) rows, in the axes that the error is in.
        error: [6] from the present to the wanted pose, metres and radians.
        homewards: [7] from the present to the home posture, radians.
    """
    gram = jacobian @ jacobian.T
    gram[np.diag_indices(6)] += _DAMPING
    step = homewards + jacobian.T @ np.linalg.solve(gram, error - jacobian @ homewards)
    return step / max(1.0, np.abs(step).max() / _LONGEST_STEP)
