"""Where candidates would lead the hand, as lines and colours in the robot base frame."""

from __future__ import annotations

import itertools

import numpy as np

from vjepa_mpc.geometry.limits import WorkspaceBox

# From the best candidate to the worst: green, yellow, red.
_BEST, _MIDDLE, _WORST = np.array([0.10, 0.75, 0.25]), np.array([0.95, 0.85, 0.10]), np.array([0.85, 0.15, 0.10])
_FAILED = np.array([0.5, 0.5, 0.5])


def along_robot_axes(actions: np.ndarray, rotation: np.ndarray | None) -> np.ndarray:
    """Actions [..., 7] of a plan along the robot's axes.

    Args:
        actions: dx, dy, dz in metres along the model's axes, three rotations, change of closedness.
        rotation: [3, 3] from the model's axes to the robot's; None where they are the same.
    """
    turned = np.array(actions, dtype=np.float64)
    if rotation is not None:
        turned[..., :3] = turned[..., :3] @ rotation.T
    return turned


def paths(origin: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Positions [K, H + 1, 3] in metres that actions lead through, the origin's first.

    Args:
        origin: [3] or [7] where they begin.
        actions: [K, H, 7] along the robot's axes.
    """
    ways = np.cumsum(actions[..., :3], axis=1)
    return origin[:3] + np.concatenate([np.zeros_like(ways[:, :1]), ways], axis=1)


def colours(energies: np.ndarray) -> np.ndarray:
    """RGB [K, 3] from 0 to 1 for energies [K]: green for the lowest, over yellow to red for the highest.

    Energies that are not finite are grey; where all are the same, all are green.
    """
    values = np.asarray(energies, dtype=np.float64)
    finite = np.isfinite(values)
    found = np.tile(_FAILED, (len(values), 1))
    if finite.any():
        low, high = values[finite].min(), values[finite].max()
        share = (values[finite] - low)[:, None] / (high - low or 1.0)
        upper = share > 0.5
        first, second = np.where(upper, _MIDDLE, _BEST), np.where(upper, _WORST, _MIDDLE)
        found[finite] = first + (2.0 * share - upper) * (second - first)
    return found


def segments(lines: np.ndarray) -> np.ndarray:
    """Ends [K, 2 H, 3] of the straight pieces of lines [K, H + 1, 3], two by two."""
    return np.stack([lines[:, :-1], lines[:, 1:]], axis=2).reshape(len(lines), -1, 3)


def box_edges(box: WorkspaceBox) -> np.ndarray:
    """Ends [24, 3] of a box's twelve edges, two by two."""
    corners = np.array(list(itertools.product(*zip(box.lower, box.upper, strict=True))))
    return np.array([[a, b] for a, b in itertools.combinations(corners, 2) if np.sum(a != b) == 1]).reshape(-1, 3)
