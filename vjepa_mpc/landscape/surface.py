"""Energies over dx and dy, dx and dz, and the gripper, around one action; as in the paper's figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vjepa_mpc.planning.compute.scorer import Score

POINTS = 17  # along each axis of a plane, and along the gripper's line
Y, Z = 1, 2  # the other axis of a plane, beside x, as an entry of an action


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """Energies of doing something else; what is not on the axes is as in one action, the centre.

    Attributes:
        centre: [7] float64 the action: dx, dy, dz in metres, three rotations in radians, change of closedness.
        reach: metres; planes go from minus to plus this along both axes.
        xy: energies float32 [POINTS, POINTS] over dy (rows) and dx (columns).
        xz: the same over dz (rows) and dx.
        closing: changes of closedness [POINTS].
        gripper: energies float32 [POINTS] of these.
    """

    centre: np.ndarray
    reach: float
    xy: np.ndarray
    xz: np.ndarray
    closing: np.ndarray
    gripper: np.ndarray

    @property
    def axis(self) -> np.ndarray:
        """[POINTS] metres along an axis of a plane."""
        return np.linspace(-self.reach, self.reach, POINTS)

    @property
    def contrast(self) -> float:
        """How much it matters where the hand goes: range of the planes' energies as a share of their mean."""
        energies = np.stack([self.xy, self.xz]).astype(np.float64)
        mean = float(energies.mean())
        return float(np.ptp(energies)) / mean if mean > 0.0 else 0.0

    @property
    def lowest(self) -> np.ndarray:
        """[3] metres: dx and dy where the first plane is lowest, and dz where the second one is."""
        row, column = np.unravel_index(int(self.xy.argmin()), self.xy.shape)
        height, _ = np.unravel_index(int(self.xz.argmin()), self.xz.shape)
        return np.array([self.axis[column], self.axis[row], self.axis[height]])


@torch.no_grad()
def surface(score: Score, centre: np.ndarray, reach: float, steps: int) -> Surface:
    """Energies around an action; each step of several makes an equal share of it.

    Args:
        score: predicts sequences [steps, S, 7] and gives their energies.
        centre: [7] the action.
        reach: metres to each side of no motion.
        steps: of the sequences.
    """
    axis, closing = np.linspace(-reach, reach, POINTS), np.linspace(-1.0, 1.0, POINTS)

    def energies(actions: np.ndarray) -> np.ndarray:
        each = torch.as_tensor(actions / steps, dtype=torch.float32)
        return np.asarray(score(each.expand(steps, *each.shape)).float().cpu().numpy())

    return Surface(
        centre=np.asarray(centre, dtype=np.float64),
        reach=reach,
        xy=energies(_plane(centre, axis, Y)).reshape(POINTS, POINTS),
        xz=energies(_plane(centre, axis, Z)).reshape(POINTS, POINTS),
        closing=closing,
        gripper=energies(_line(centre, closing)),
    )


def _plane(centre: np.ndarray, axis: np.ndarray, other: int) -> np.ndarray:
    """Actions [POINTS², 7] over x (fastest) and another axis."""
    actions = np.tile(centre, (len(axis) ** 2, 1))
    second, first = np.meshgrid(axis, axis, indexing="ij")
    actions[:, 0], actions[:, other] = first.ravel(), second.ravel()
    return actions


def _line(centre: np.ndarray, closing: np.ndarray) -> np.ndarray:
    actions = np.tile(centre, (len(closing), 1))
    actions[:, 6] = closing
    return actions
