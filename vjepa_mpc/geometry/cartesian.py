"""Positions with unit quaternions (x, y, z, w), as ROS carries them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.pose import pose_from_quaternion
from vjepa_mpc.geometry.quaternion import UNIT_TOLERANCE, rotation_between
from vjepa_mpc.geometry.rotation import quaternion_from_euler


@dataclass(frozen=True, eq=False)
class CartesianPose:
    """Where the end effector is: position [3] in metres and unit quaternion [4] xyzw, robot base frame, float64.

    Raises:
        ValueError: something is not finite, or the quaternion's norm is off 1 by more than 0.001.
    """

    position: np.ndarray
    quaternion: np.ndarray

    def __post_init__(self) -> None:
        position = np.array(self.position, dtype=np.float64)
        quaternion = np.array(self.quaternion, dtype=np.float64)
        if position.shape != (3,) or not np.isfinite(position).all():
            raise ValueError(f"position {position.tolist()}: give three finite numbers in metres")
        norm = float(np.linalg.norm(quaternion))
        if quaternion.shape != (4,) or not abs(norm - 1.0) <= UNIT_TOLERANCE:
            raise ValueError(f"quaternion {quaternion.tolist()} has norm {norm:.4g}: give a unit quaternion (x,y,z,w)")
        quaternion /= norm
        position.setflags(write=False)
        quaternion.setflags(write=False)
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "quaternion", quaternion)

    @classmethod
    def from_state(cls, state: np.ndarray) -> CartesianPose:
        """From a pose [≥ 6] x, y, z, rx, ry, rz: metres and extrinsic xyz Euler radians."""
        values = np.asarray(state, dtype=np.float64)
        return cls(values[:3], quaternion_from_euler(values[3:6]))

    def state(self, closedness: float) -> np.ndarray:
        """The pose [7] float64 that the world model works with."""
        return pose_from_quaternion(self.position, self.quaternion, closedness)

    def distance(self, other: CartesianPose) -> float:
        """Metres between two positions."""
        return float(np.linalg.norm(other.position - self.position))

    def angle(self, other: CartesianPose) -> float:
        """Radians between two orientations."""
        return float(np.linalg.norm(rotation_between(self.quaternion, other.quaternion)))
