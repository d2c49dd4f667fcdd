"""The planner behind visual MPC: made for the settings of the moment, and used as if it had no memory."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vjepa_mpc.geometry.pose import POSE_DIM
from vjepa_mpc.planning import (
    CEMConfig,
    CEMPlanner,
    Energy,
    NotFiniteError,
    Objective,
    ObservedEnergy,
    Pace,
    PlanResult,
    Question,
    Ranks,
)
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop


class Planners:
    """Plans and compares with any settings, from random numbers that the caller keeps the state of.

    Args:
        world_model: predicts.
        objective: instead of the one that the settings name.
        seed: of the first random numbers.
        ranks: processes that share the planning.
        crop: how images are cut to the model's square.
    """

    def __init__(
        self,
        world_model: WorldModel,
        objective: Objective | Energy | None,
        seed: int,
        ranks: Ranks | None,
        crop: Crop,
    ) -> None:
        self._world_model, self._objective, self._ranks = world_model, objective, ranks
        self._generator = torch.Generator(device=world_model.device).manual_seed(seed)
        self._pace, self._crop = Pace(), crop
        self._planner: CEMPlanner | None = None
        self._energy: tuple[object, ObservedEnergy] | None = None

    @property
    def random_state(self) -> Tensor:
        """State of the random numbers after the newest plan, or before the first one."""
        return self._generator.get_state()

    def plan(
        self, config: CEMConfig, context: Tensor, question: Question, *, keep_candidates: bool = False
    ) -> PlanResult:
        """What :meth:`CEMPlanner.plan` finds with these settings, or to stay where that is as good.

        Args:
            config: the settings.
            context: [N, D] latent of the present picture, at the question's origin.
            question: the rest.
            keep_candidates: return what each iteration predicted; see :meth:`CEMPlanner.plan`.
        """
        self._generator.set_state(question.random_state)
        plan = self._planner_for(config).plan(
            context,
            question.origin,
            question.goal.latent,
            previous=question.previous,
            proposals=question.proposals,
            pins=question.pins,
            keep_candidates=keep_candidates,
        )
        return _or_stay(plan, config.least_gain)

    def energy(self, config: CEMConfig, latent: Tensor, goal: Tensor, pose: Tensor) -> float:
        """Energy of an image's latent [N, D], seen at a pose [7], given a goal's. Waits for the device."""
        made_for = (config.objective, config.options)
        if self._energy is None or self._energy[0] != made_for:
            self._energy = made_for, ObservedEnergy(self._world_model, config, self._objective, self._crop)
        return self._energy[1](latent, goal, pose)

    def _planner_for(self, config: CEMConfig) -> CEMPlanner:
        """The planner with these settings; kept as long as they stay, with what it has recorded and learnt."""
        if self._planner is None or self._planner.config != config:
            self._planner = self._make(config)
        return self._planner

    def _make(self, config: CEMConfig) -> CEMPlanner:
        return CEMPlanner(
            self._world_model,
            config,
            self._generator,
            self._objective,
            pace=self._pace,
            ranks=self._ranks,
            crop=self._crop,
        )

    def warm_up(self, config: CEMConfig, latent: Tensor) -> None:
        """Plan once, from a latent [N, D] to itself, so that all is chosen, compiled, recorded and timed.

        Raises:
            ValueError: the model's predictions are not numbers, as when float16 is too narrow for its weights.
        """
        pose = torch.zeros(POSE_DIM)
        # Two iterations have the shapes of all, unless the settings let samples decay.
        iterations = config.cem_steps if config.sample_decay > 1.0 else min(2, config.cem_steps)
        patient = replace(config, cem_steps=iterations, time_budget=None, stop_spread=0.0, cuda_graphs=False)
        planner = self._make(patient)
        try:
            plan = planner.plan(latent, pose, latent)
        except NotFiniteError as error:
            raise ValueError(
                f"in {self._world_model.dtype} the world model's numbers are not finite: choose another dtype, such as "
                f"float32, or another checkpoint ({error})"
            ) from error
        if config.warm_start:
            planner.plan(latent, pose, latent, previous=plan)
        if config.time_budget is not None or config.cuda_graphs:
            self._planner_for(config).plan(latent, pose, latent)


def _or_stay(plan: PlanResult, least_gain: float) -> PlanResult:
    """The plan, or the same with doing nothing for its actions if they gain too little to be told from nothing.

    The search itself stays the published one; it never looks at doing nothing, and at a goal its mean wanders.
    """
    outlook, stay = plan.outlook, plan.stay
    if outlook is None or stay is None or outlook.gain > least_gain:
        return plan
    return replace(plan, actions=stay, outlook=replace(outlook, expected=outlook.still))
