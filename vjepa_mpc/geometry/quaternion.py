"""Unit quaternions (x, y, z, w): the few operations that the loop needs, in NumPy alone."""

from __future__ import annotations

import numpy as np

UNIT_TOLERANCE = 1e-3  # of a quaternion's norm: float32 publishers stay well below, a scaled or zero one far above


def quaternion_multiply(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The rotation `first` followed by `second`, both [4] and about the axes of one fixed frame."""
    x2, y2, z2, w2 = second
    x1, y1, z1, w1 = first
    return np.array(
        [
            w2 * x1 + x2 * w1 + y2 * z1 - z2 * y1,
            w2 * y1 - x2 * z1 + y2 * w1 + z2 * x1,
            w2 * z1 + x2 * y1 - y2 * x1 + z2 * w1,
            w2 * w1 - x2 * x1 - y2 * y1 - z2 * z1,
        ]
    )


def quaternion_conjugate(quaternion: np.ndarray) -> np.ndarray:
    """The inverse of a unit quaternion [4]."""
    return np.asarray(quaternion) * np.array([-1.0, -1.0, -1.0, 1.0])


def rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A vector [3] turned by a unit quaternion [4]."""
    extended = np.array([*vector, 0.0])
    return quaternion_multiply(quaternion_multiply(quaternion, extended), quaternion_conjugate(quaternion))[:3]


def rotation_vector(quaternion: np.ndarray) -> np.ndarray:
    """Axis times angle [3] in radians of the shorter turn that a unit quaternion [4] describes (angle ≤ π)."""
    vector, scalar = np.asarray(quaternion[:3]), float(quaternion[3])
    if scalar < 0.0:  # q and -q are one rotation: take the shorter way round
        vector, scalar = -vector, -scalar
    sine = float(np.linalg.norm(vector))
    if sine < 1e-12:
        return 2.0 * vector
    return vector * (2.0 * np.arctan2(sine, scalar) / sine)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Unit quaternion [4] of a rotation vector [3] in radians."""
    angle = float(np.linalg.norm(vector))
    factor = 0.5 if angle < 1e-9 else np.sin(0.5 * angle) / angle
    quaternion = np.array([*(np.asarray(vector) * factor), np.cos(0.5 * angle)])
    return quaternion / np.linalg.norm(quaternion)


def rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation vector [3], in the fixed frame, that turns unit quaternion `start` into `end` the shorter way."""
    return rotation_vector(quaternion_multiply(end, quaternion_conjugate(start)))
