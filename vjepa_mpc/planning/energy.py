"""Energies of what the camera sees, by the objective that plans are made with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.planning.checks import as_tensor
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.objectives import OBJECTIVES
from vjepa_mpc.planning.objectives.interface import Energy, Objective, Predicted, as_objective, check_energies
from vjepa_mpc.planning.parts import Setup, make_part, prepared
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop

_ACTION_DIM = 7


def make_setup(world_model: WorldModel, config: CEMConfig, generator: torch.Generator, crop: Crop = "square") -> Setup:
    """What parts may know of a planner with these settings."""
    return Setup(
        horizon=config.rollout,
        samples=config.samples,
        generator=generator,
        device=world_model.device,
        tokens_per_frame=world_model.tokens_per_frame,
        embed_dim=world_model.embed_dim,
        crop=crop,
        options=config.options,
    )


def make_objective(given: Objective | Energy | None, config: CEMConfig, setup: Setup) -> Objective:
    """The objective that was given, or else the one that the settings name; ready to score."""
    if given is not None:
        return prepared(as_objective(given), setup)
    return make_part(OBJECTIVES, config.objective, setup)


class ObservedEnergy:
    """How far the camera's picture is from a goal: the objective of one step that did not move.

    Args:
        world_model: whose latents are compared.
        config: names the objective and has its options.
        objective: instead of the one that the settings name.
        crop: how pictures are cut before the world model sees them.

    Raises:
        PartError: there is no such objective.
        ValueError: its options cannot be used.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        objective: Objective | Energy | None = None,
        crop: Crop = "square",
    ) -> None:
        setup = make_setup(world_model, config, torch.Generator(device=world_model.device), crop)
        self._objective = make_objective(objective, config, setup)

    @torch.no_grad()
    def __call__(self, latent: Tensor, goal: Tensor, pose: Tensor | np.ndarray | None = None) -> float:
        """The energy of an observed latent [N, D] given the goal's [N, D]; waits for the device.

        Args:
            latent: of the camera's picture.
            goal: of the goal's picture.
            pose: [7] measured pose, as a float32 tensor or a NumPy array (x, y, z in metres, extrinsic xyz Euler
                radians, closedness 0 open to 1; robot base frame); zeros when not given.
        """
        return observed_energy(self._objective, latent, goal, pose)


def observed_energy(
    objective: Objective, latent: Tensor, goal: Tensor, pose: Tensor | np.ndarray | None = None
) -> float:
    """See :class:`ObservedEnergy`."""
    still = latent.new_zeros(1, 1, _ACTION_DIM, dtype=torch.float32)
    pose = still[0, 0] if pose is None else as_tensor("pose", pose).to(latent.device)
    return float(check_energies(objective(Predicted([latent[None]], still, pose), goal), 1, objective))
