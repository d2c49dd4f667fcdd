"""The energy around what the arm really did: dx-dy, dx-dz and the gripper, as in the paper's figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vjepa_mpc.judging.recovery import Recovered
from vjepa_mpc.judging.stretches import Stretch
from vjepa_mpc.landscape.surface import Surface, surface
from vjepa_mpc.planning import CEMPlanner, Pace
from vjepa_mpc.planning.compute.scorer import Compute
from vjepa_mpc.worldmodel import Crop, WorldModel

_ROOM = 1.6  # how far beyond what was made and planned the planes go
_LEAST_REACH = 0.03  # metres that they show at least to each side of no motion


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """Energies of doing something else between two frames.

    Attributes:
        move: what was done, and planned.
        seen: first frame, uint8 [H, W, 3].
        wanted: last frame.
        surface: energies; what is not on the axes is as was done.
    """

    move: Recovered
    seen: np.ndarray
    wanted: np.ndarray
    surface: Surface


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
    around = surface(score, stretch.done, reach, stretch.steps)
    return Landscape(move=move, seen=images[0], wanted=images[1], surface=around)
