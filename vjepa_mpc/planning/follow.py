"""What the ranks other than 0 do: plan along."""

from __future__ import annotations

import torch

from vjepa_mpc.planning.cem import CEMPlanner
from vjepa_mpc.planning.ranks import Ranks, Request
from vjepa_mpc.worldmodel.world_model import WorldModel


def follow(world_model: WorldModel, ranks: Ranks) -> None:
    """Predict this rank's share of every plan of rank 0 until rank 0 announces the end.

    Args:
        world_model: the same weights, in the same dtype, as rank 0 has.
        ranks: this process's place.

    Raises:
        RankLostError: another rank is gone.
    """
    while (request := ranks.await_request()) is not None:
        plan_along(world_model, request, ranks)


def plan_along(world_model: WorldModel, request: Request, ranks: Ranks) -> None:
    """Predict this rank's share of one plan; arguments and errors as in :func:`follow`."""
    generator = torch.Generator(device=world_model.device)
    generator.set_state(request.random_state)
    planner = CEMPlanner(world_model, request.config, generator, request.objective, ranks=ranks)
    planner.plan(**request.inputs)
