"""What the ranks other than 0 do: compute the same plans as rank 0, and so predict their share of the candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch

from vjepa_mpc.planning.compute.ranks import Ranks, Request
from vjepa_mpc.planning.planner import CEMPlanner
from vjepa_mpc.planning.result import PlanResult
from vjepa_mpc.planning.settings import planner_config
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop


def follow(ranks: Ranks, load: Callable[[Any], WorldModel]) -> Iterator[PlanResult]:
    """Take part in every plan of rank 0 until rank 0 announces the end; yields the plans.

    Args:
        ranks: this process among the others.
        load: makes a world model from what rank 0 announces before its first plan, and whenever it changes the model.
            It must have the same weights and dtype as rank 0's. Afterwards rank 0 calls :meth:`Ranks.meet`, as this
            function does.

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
        self._made_for: tuple[object, str] | None = None

    def plan(self, request: Request) -> PlanResult:
        self._generator.set_state(request.random_state)
        wanted = (request.settings, request.crop)
        if self._planner is None or self._made_for != wanted:
            self._planner, self._made_for = self._make_planner(request), wanted
        return self._planner.plan(**request.inputs)

    def _make_planner(self, request: Request) -> CEMPlanner:
        config, crop = planner_config(request.settings), cast("Crop", request.crop)
        return CEMPlanner(self._world_model, config, self._generator, ranks=self._ranks, crop=crop)
