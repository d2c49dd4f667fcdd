"""The planner behind visual MPC: made for the settings of the moment, and used as if it had no memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vjepa_mpc.geometry.pose import POSE_DIM
from vjepa_mpc.planning.compute.budget import Pace
from vjepa_mpc.planning.compute.evaluation import Objective
from vjepa_mpc.planning.compute.ranks import Ranks
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.planner import CEMPlanner, PlanResult
from vjepa_mpc.worldmodel.interface import WorldModel


class Planners:
    """Plans with any settings, from random numbers that the caller keeps the state of.

    Args:
        world_model: predicts.
        objective: scores predictions.
        seed: of the first random numbers.
        ranks: processes that share the planning.
    """

    def __init__(self, world_model: WorldModel, objective: Objective, seed: int, ranks: Ranks | None) -> None:
        self._world_model, self._objective, self._ranks = world_model, objective, ranks
        self._generator = torch.Generator(device=world_model.device).manual_seed(seed)
        self._pace = Pace()
        self._planner: CEMPlanner | None = None

    @property
    def random_state(self) -> Tensor:
        """State of the random numbers after the newest plan, or before the first one."""
        return self._generator.get_state()

    def plan(self, config: CEMConfig, random_state: Tensor, *args: Any, **inputs: Any) -> PlanResult:
        """What :meth:`CEMPlanner.plan` finds with these settings and random numbers."""
        self._generator.set_state(random_state)
        return self._planner_for(config).plan(*args, **inputs)

    def _planner_for(self, config: CEMConfig) -> CEMPlanner:
        """The planner with these settings; kept as long as they stay, with what it has recorded and learnt."""
        if self._planner is None or self._planner.config != config:
            self._planner = self._make(config)
        return self._planner

    def _make(self, config: CEMConfig) -> CEMPlanner:
        return CEMPlanner(
            self._world_model, config, self._generator, self._objective, pace=self._pace, ranks=self._ranks
        )

    def warm_up(self, config: CEMConfig, latent: Tensor) -> None:
        """Plan once, from a latent [N, D] to itself, so that all is chosen, compiled, recorded and timed.

        Raises:
            ValueError: the model's predictions are not numbers, as when float16 is too narrow for its weights.
        """
        pose = torch.zeros(POSE_DIM)
        # Two iterations have the shapes of all, unless the settings let samples decay.
        iterations = config.cem_steps if config.sample_decay > 1.0 else min(2, config.cem_steps)
        patient = replace(config, cem_steps=iterations, deadline=None, stop_spread=0.0, cuda_graphs=False)
        planner = self._make(patient)
        plan = planner.plan(latent, pose, latent)
        if not all(map(math.isfinite, plan.energies)):
            raise ValueError(
                f"in {self._world_model.dtype} the world model predicts energies {plan.energies}: choose another "
                "dtype, such as float32, or another checkpoint"
            )
        if config.warm_start:
            planner.plan(latent, pose, latent, previous=plan)
        if config.deadline is not None or config.cuda_graphs:
            self._planner_for(config).plan(latent, pose, latent)
