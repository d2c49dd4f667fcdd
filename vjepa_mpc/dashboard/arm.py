"""A Franka arm as a chain of points, from its joint angles: enough to see how it stands."""

from __future__ import annotations

import numpy as np

# Modified Denavit-Hartenberg parameters of Panda and FR3 as Franka publishes them: a [m], d [m], alpha [rad] of each
# joint, then those of the flange.
_TURN = np.pi / 2
_CHAIN = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -_TURN),
    (0.0, 0.316, _TURN),
    (0.0825, 0.0, _TURN),
    (-0.0825, 0.384, -_TURN),
    (0.0, 0.0, _TURN),
    (0.088, 0.0, _TURN),
    (0.0, 0.107, 0.0),
)
JOINTS = len(_CHAIN) - 1


def chain(angles: np.ndarray) -> np.ndarray:
    """Points [9, 3] in metres that the arm goes through, from the base to the flange, in the base frame.

    Args:
        angles: [7] in radians.
    """
    pose = np.eye(4)
    points = [pose[:3, 3]]
    for (a, d, alpha), angle in zip(_CHAIN, (*angles, 0.0), strict=True):
        pose = pose @ _link(a, d, alpha, float(angle))
        points.append(pose[:3, 3])
    return np.stack(points)


def arm_joints(names: list[str], positions: list[float]) -> np.ndarray | None:
    """The seven angles of a joint state, by names that end in joint1 … joint7; None where one is missing."""
    found = {}
    for name, position in zip(names, positions, strict=False):
        if "finger" not in name and name[-6:-1] == "joint" and name[-1].isdigit():
            found[int(name[-1])] = position
    wanted = range(1, JOINTS + 1)
    return np.array([found[number] for number in wanted]) if all(number in found for number in wanted) else None


def _link(a: float, d: float, alpha: float, theta: float) -> np.ndarray:
    ca, sa, ct, st = np.cos(alpha), np.sin(alpha), np.cos(theta), np.sin(theta)
    return np.array(
        [
            [ct, -st, 0.0, a],
            [st * ca, ct * ca, -sa, -d * sa],
            [st * sa, ct * sa, ca, d * ca],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
