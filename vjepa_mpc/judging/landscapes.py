"""The energy around what the arm really did: dx-dy, dx-dz and the gripper, as in the paper's figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vjepa_mpc.judging.recovery import Recovered
from vjepa_mpc.judging.stretches import Stretch
from vjepa_mpc.planning import CEMPlanner, Pace
from vjepa_mpc.planning.compute.scorer import Compute, Scorer
from vjepa_mpc.worldmodel import Crop, WorldModel

POINTS = 17  # along each axis of a plane
GRIPPER_POINTS = 17
_ROOM = 1.6  # how far beyond what was made and planned the planes go
_LEAST_REACH = 0.03  # metres that they show at least to each side of no motion


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """Energies of doing something else between two frames.

    Attributes:
        move: what was done, and planned.
        seen: first frame, uint8 [H, W, 3].
        wanted: last frame.
        reach: metres; planes go from minus to plus this along both axes.
        xy: energies float32 [POINTS, POINTS] over dy (rows) and dx (columns), the rest as was done.
        xz: the same over dz (rows) and dx.
        closing: changes of closedness [GRIPPER_POINTS].
        gripper: energies of these, the rest as was done.
    """

    move: Recovered
    seen: np.ndarray
    wanted: np.ndarray
    reach: float
    xy: np.ndarray
    xz: np.ndarray
    closing: np.ndarray
    gripper: np.ndarray


@torch.no_grad()
def landscape(world_model: WorldModel, planner: CEMPlanner, stretch: Stretch, move: Recovered, crop: Crop) -> Landscape:
    """Energies around a move; each step of several makes an equal share of it.

    Args:
        world_model: predicts.
        planner: of as many steps as the stretch has; its objective counts.
        stretch: the frames.
        move: what was done and planned there.
        crop: of the pictures.

    Raises:
        DataError: its pictures cannot be read.
    """
    images = stretch.images([0, stretch.steps])
    seen, wanted = world_model.encode(images, crop=crop)
    pose = torch.as_tensor(stretch.states[0], dtype=torch.float32)
    score = Compute(world_model, planner.config, planner.objective, pace=Pace()).begin(seen, pose, wanted)
    reach = max(_LEAST_REACH, _ROOM * float(np.abs([move.made[:3], move.planned[:3]]).max()))
    axis = np.linspace(-reach, reach, POINTS)
    closing = np.linspace(-1.0, 1.0, GRIPPER_POINTS)
    return Landscape(
        move=move,
        seen=images[0],
        wanted=images[1],
        reach=reach,
        xy=_energies(score, _plane(stretch.done, axis, 1), stretch.steps).reshape(POINTS, POINTS),
        xz=_energies(score, _plane(stretch.done, axis, 2), stretch.steps).reshape(POINTS, POINTS),
        closing=closing,
        gripper=_energies(score, _line(stretch.done, closing), stretch.steps),
    )


def _plane(done: np.ndarray, axis: np.ndarray, other: int) -> np.ndarray:
    """Actions [POINTS², 7] over x (fastest) and another axis."""
    actions = np.tile(done, (len(axis) ** 2, 1))
    second, first = np.meshgrid(axis, axis, indexing="ij")
    actions[:, 0], actions[:, other] = first.ravel(), second.ravel()
    return actions


def _line(done: np.ndarray, closing: np.ndarray) -> np.ndarray:
    actions = np.tile(done, (len(closing), 1))
    actions[:, 6] = closing
    return actions


def _energies(score: Scorer, whole: np.ndarray, steps: int) -> np.ndarray:
    each = torch.as_tensor(whole / steps, dtype=torch.float32)
    return np.asarray(score(each.expand(steps, *each.shape)).float().cpu().numpy())
