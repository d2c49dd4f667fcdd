"""Poses and gripper openings over time, from what was recorded to what is asked for at any time stamp."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.mapping import METRES, ROTATION_WIDTH, DataMapping
from vjepa_mpc.geometry.rotation import unflipped_euler

# A stamp this little outside the poses, in seconds, still gets the first or last one.
MARGIN = 0.02


@dataclass(frozen=True)
class RawPoses:
    """Poses as they were recorded, in the recording's own units and order.

    Attributes:
        stamps: float64 [N] seconds, in the order of recording.
        positions: float64 [N, 3].
        rotations: float64 [N, n], see ``rotation`` of the mapping.
    """

    stamps: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray


@dataclass(frozen=True)
class RawGripper:
    """Gripper openings as they were recorded.

    Attributes:
        stamps: float64 [N] seconds, in the order of recording.
        values: float64 [N], absolute values of several fingers added up.
    """

    stamps: np.ndarray
    values: np.ndarray


class PoseTrack:
    """Poses of the tool in the robot's base frame at any time between the first and the last.

    Args:
        raw: as recorded.
        mapping: units and conventions; complete.

    Raises:
        DataError: no usable pose, or columns that do not suit the form of the rotation.
    """

    def __init__(self, raw: RawPoses, mapping: DataMapping) -> None:
        rotations = np.asarray(raw.rotations, dtype=np.float64).reshape(len(raw.stamps), -1)
        whole = usable(raw.stamps, np.concatenate([raw.positions, rotations], axis=1))
        if mapping.rotation.startswith("quaternion"):
            whole = whole[np.linalg.norm(rotations[whole], axis=1) > 1e-6]
        if not len(whole):
            raise DataError(f"none of {len(raw.stamps)} poses is finite: check what the poses were recorded from")
        tool, base = _transform(mapping.tool), _transform(mapping.base)
        turns = _rotations(rotations[whole], mapping)
        positions = raw.positions[whole] * METRES[mapping.position_unit] + turns.apply(tool[0])
        self.stamps = raw.stamps[whole]
        self.positions = base[1].apply(positions) + base[0]
        self.quaternions = (base[1] * turns * tool[1]).as_quat()

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Which stamps [K] have a pose: bool [K]."""
        return (stamps >= self.stamps[0] - MARGIN) & (stamps <= self.stamps[-1] + MARGIN)

    def at(self, stamps: np.ndarray) -> np.ndarray:
        """Poses float64 [K, 6] at the stamps [K]: positions on straight lines, rotations along the shortest turn.

        Roll lies in (-pi/2, 3 pi/2], as everywhere here: see :func:`vjepa_mpc.geometry.rotation.unflipped_euler`.

        Raises:
            DataError: a stamp lies outside the recorded poses.
        """
        outside = ~self.covers(stamps)
        if outside.any():
            raise DataError(
                f"there is no pose at {stamps[outside][0]:.3f} s: poses were recorded from {self.stamps[0]:.3f} to "
                f"{self.stamps[-1]:.3f} s"
            )
        before, after, share = _between(self.stamps, stamps)
        start = Rotation.from_quat(self.quaternions[before])
        turn = (start.inv() * Rotation.from_quat(self.quaternions[after])).as_rotvec()
        rotation = start * Rotation.from_rotvec(share[:, None] * turn)
        positions = self.positions[before] + share[:, None] * (self.positions[after] - self.positions[before])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gimbal lock")  # any of the equivalent angles will do
            return np.concatenate([positions, unflipped_euler(rotation)], axis=1)


class GripperTrack:
    """Closedness of the gripper at any time: 0 open, 1 closed; before the first and after the last value it is held.

    Args:
        raw: as recorded; None for an arm without a gripper, which counts as open.
        mapping: with the values that mean open and closed.
    """

    def __init__(self, raw: RawGripper | None, mapping: DataMapping) -> None:
        if raw is None:
            self.stamps, self.closedness = np.zeros(1), np.zeros(1)
            return
        whole = usable(raw.stamps, raw.values[:, None])
        if not len(whole):
            raise DataError(f"none of {len(raw.stamps)} gripper values is finite: check the mapping's gripper")
        if mapping.gripper_open is None or mapping.gripper_closed is None:
            raise DataError("the mapping has to give both gripper_open and gripper_closed")
        opening = mapping.gripper_open - mapping.gripper_closed
        self.stamps = raw.stamps[whole]
        self.closedness = np.clip((mapping.gripper_open - raw.values[whole]) / opening, 0.0, 1.0)

    def at(self, stamps: np.ndarray) -> np.ndarray:
        """Closedness float64 [K] at the stamps [K], linear between the recorded values."""
        return np.interp(stamps, self.stamps, self.closedness)


def usable(stamps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Indices of the finite rows in the order of time; of several at the same time the last."""
    finite = np.flatnonzero(np.isfinite(stamps) & np.isfinite(values).all(axis=1))
    order = finite[np.argsort(stamps[finite], kind="stable")]
    return order[np.append(np.diff(stamps[order]) > 0, True)] if len(order) else order


def nearest(sorted_stamps: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Index of the nearest of ``sorted_stamps`` for each of ``stamps`` [K]: int64 [K]; the earlier one on a draw."""
    after = np.clip(np.searchsorted(sorted_stamps, stamps), 1, max(len(sorted_stamps) - 1, 1))
    after = np.minimum(after, len(sorted_stamps) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(stamps - sorted_stamps[before] <= sorted_stamps[after] - stamps, before, after)


def quaternions_of(rotations: np.ndarray, mapping: DataMapping) -> np.ndarray:
    """Recorded rotations [N, n] as unit quaternions float64 [N, 4], x y z w."""
    return _rotations(np.asarray(rotations, dtype=np.float64), mapping).as_quat()


def _between(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each wanted stamp the known ones before and after it, and how far it is between them, 0 to 1."""
    after = np.clip(np.searchsorted(known, wanted), min(1, len(known) - 1), len(known) - 1)
    before = np.maximum(after - 1, 0)
    span = np.maximum(known[after] - known[before], 1e-12)
    return before, after, np.clip((wanted - known[before]) / span, 0.0, 1.0)


def _transform(pose: tuple[float, ...]) -> tuple[np.ndarray, Rotation]:
    return np.array(pose[:3]), Rotation.from_euler("xyz", pose[3:])


def _rotations(values: np.ndarray, mapping: DataMapping) -> Rotation:
    width = ROTATION_WIDTH[mapping.rotation]
    if values.shape[1] != width:
        raise DataError(
            f"rotation: {mapping.rotation} takes {width} numbers, but {values.shape[1]} were recorded: set rotation or "
            "rotation_columns in the mapping"
        )
    if mapping.rotation == "quaternion_xyzw":
        return Rotation.from_quat(values)
    if mapping.rotation == "quaternion_wxyz":
        return Rotation.from_quat(values[:, [1, 2, 3, 0]])
    if mapping.rotation == "matrix":
        return Rotation.from_matrix(values.reshape(-1, 3, 3))
    angles = np.deg2rad(values) if mapping.angle_unit == "deg" else values
    if mapping.rotation == "rotation_vector":
        return Rotation.from_rotvec(angles)
    return Rotation.from_euler(mapping.euler_axes, angles)
