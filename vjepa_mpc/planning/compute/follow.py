"""What the ranks other than 0 do: plan along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from vjepa_mpc.planning.compute.ranks import Ranks, Request
from vjepa_mpc.planning.planner import CEMPlanner, PlanResult
from vjepa_mpc.worldmodel.interface import WorldModel


def follow(ranks: Ranks, load: Callable[[Any], WorldModel]) -> Iterator[PlanResult]:
    """Predict this rank's share of every plan of rank 0 until rank 0 announces the end; yields the plans.

    Args:
        ranks: this process's place.
        load: a world model, of the same weights and dtype as rank 0 plans with, from what rank 0 announces before its
            first plan and whenever it changes the model. Rank 0 then calls :meth:`Ranks.meet`, as this function does.

    Raises:
        RankLostError: another rank is gone.
    """
    follower: _Follower | None = None
    while (request := ranks.await_request()) is not None:
        if not isinstance(request, Request):
            follower = None  # there may not be room for two models
            follower = _Follower(load(request), ranks)
            ranks.meet()
        elif follower is None:
            raise ValueError("rank 0 plans before it has announced a world model: it must do that first")
        else:
            yield follower.plan(request)


class _Follower:
    """The planner of a rank other than 0; made anew when the settings change, as rank 0's is."""

    def __init__(self, world_model: WorldModel, ranks: Ranks) -> None:
        self._world_model, self._ranks = world_model, ranks
        self._generator = torch.Generator(device=world_model.device)
        self._planner: CEMPlanner | None = None

    def plan(self, request: Request) -> PlanResult:
        self._generator.set_state(request.random_state)
        planner = self._planner
        if planner is None or (planner.config, planner.objective) != (request.config, request.objective):
            planner = self._planner = CEMPlanner(
                self._world_model, request.config, self._generator, request.objective, ranks=self._ranks
            )
        return planner.plan(**request.inputs)
