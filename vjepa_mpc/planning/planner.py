"""Planning in latent space: propose action sequences, predict where they lead, score that, update, finish.

With the default settings this is the published method (upstream ``notebooks/utils/mpc_utils.py``, ``cem``). Its parts
(objective, sampler, update rule, optimiser) are chosen by the settings when the planner is built; how candidates are
computed is the business of :mod:`vjepa_mpc.planning.compute`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.planning.actions import ActionSpace
from vjepa_mpc.planning.checks import as_tensor, check_finite, check_result, check_shapes
from vjepa_mpc.planning.compute.budget import Clock, Pace
from vjepa_mpc.planning.compute.graphs import Capture
from vjepa_mpc.planning.compute.ranks import Ranks, Request
from vjepa_mpc.planning.compute.scorer import Compute, Score, Scorer
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.energy import make_objective, make_setup, observed_energy
from vjepa_mpc.planning.noise import make_noise
from vjepa_mpc.planning.objectives.interface import Energy, Objective, name_of
from vjepa_mpc.planning.optimisers import OPTIMISERS
from vjepa_mpc.planning.optimisers.interface import Optimiser, OptimiserSetup
from vjepa_mpc.planning.outlook import Outlook
from vjepa_mpc.planning.parts import Setup, make_part
from vjepa_mpc.planning.pins import GRIPPER, checked_pins
from vjepa_mpc.planning.result import Candidates, PlanResult, StoppedBy
from vjepa_mpc.planning.search import Search
from vjepa_mpc.planning.settings import plain_settings
from vjepa_mpc.planning.updates.interface import Distribution
from vjepa_mpc.worldmodel.interface import WorldModel, check_world_model
from vjepa_mpc.worldmodel.preprocess import Crop

logger = logging.getLogger(__name__)

_FORESEEN = 2  # predictions for the outlook: of the plan and of doing nothing


class CEMPlanner:
    """Finds action sequences whose predicted outcome is close to a goal.

    Args:
        world_model: predicts latents; see :class:`~vjepa_mpc.worldmodel.WorldModel`.
        config: how many, how far, how often, and by which parts.
        generator: source of the samples, on the world model's device; seeded with 0 when not given.
        objective: an objective, or a function (latents [S, N, D], goal [N, D]) -> energies [S], instead of the one that
            the settings name. Lower is better.
        pace: measured times that a time budget is kept by; give it on to the next planner when settings change.
        clock: seconds, monotonic.
        ranks: processes that share the candidates; rank 0 plans, the others run
            :func:`~vjepa_mpc.planning.compute.follow.follow`.
        capture: records iterations for ``cuda_graphs``; as CUDA graphs on a GPU when not given.
        crop: how pictures are cut before the world model sees them; for objectives that look at places in the picture.

    Raises:
        TypeError: this is no world model.
        PartError: there is no part of a name that the settings give.
        ValueError: a part cannot be used with its options, or an objective was given that ranks cannot be told of.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        generator: torch.Generator | None = None,
        objective: Objective | Energy | None = None,
        *,
        pace: Pace | None = None,
        clock: Clock = time.perf_counter,
        ranks: Ranks | None = None,
        capture: Capture | None = None,
        crop: Crop = "square",
    ) -> None:
        check_world_model(world_model)
        if objective is not None and ranks is not None:
            raise ValueError(
                f"objective={objective!r} with several ranks: other processes can only be told its name; make it a "
                "class and name it in the settings, CEMConfig(objective='package.module:Class')"
            )
        self.config, self.pace, self.crop = config, pace or Pace(), crop
        self._world_model, self._device = world_model, world_model.device
        self._clock, self._ranks = clock, ranks
        self._generator = generator or torch.Generator(device=self._device).manual_seed(0)
        setup = make_setup(world_model, config, self._generator, crop)
        self._space = ActionSpace(config, self._device)
        self._draw = make_noise(config, setup)
        self._optimiser = self._make_optimiser(setup)
        self.objective = make_objective(objective, config, setup)
        self._compute = Compute(
            world_model, config, self.objective, pace=self.pace, clock=clock, ranks=ranks, capture=capture
        )

    @torch.no_grad()
    def plan(
        self,
        context: Tensor,
        pose: Tensor | np.ndarray,
        goal: Tensor,
        noise: Tensor | None = None,
        past_actions: Tensor | None = None,
        *,
        previous: PlanResult | None = None,
        proposals: Tensor | None = None,
        pins: Mapping[int, float] | None = None,
        keep_candidates: bool = False,
    ) -> PlanResult:
        """Find actions that lead from the context to the goal.

        Args:
            context: [N, D] latent of the newest frame, or [T, N, D] of the last T frames.
            pose: [7] measured pose at that frame, or [T, 7], as a float32 tensor or a NumPy array: x, y, z in metres,
                rx, ry, rz in radians (extrinsic xyz Euler), closedness 0 (open) to 1; robot base frame.
            goal: [N, D] latent of the goal image.
            noise: [iterations, H, S, 4] standard normal numbers to use instead of drawing them.
            past_actions: [T - 1, 7] actions between the frames of a longer context: what a pose's entries change by.
            previous: the plan whose first action was executed last; a warm start begins there.
            proposals: [P, H, 7] action sequences from elsewhere that compete in the first iteration, clipped to the
                planner's bounds. Rotations are not planned and must be zero.
            pins: coordinates that have a given value in this plan, beside those of ``config.axis``.
            keep_candidates: return what each iteration predicted in ``PlanResult.history``; iterations are then not
                replayed from a CUDA graph.

        Raises:
            TypeError: context, pose or goal is neither a tensor nor a NumPy array.
            ValueError: an input is not of the expected shape or not finite, the objective returned something else than
                one energy per candidate, or no candidate has a finite energy.
            RankLostError: a process that shares the candidates is gone.
        """
        started = self._clock()
        context, pose, goal = as_tensor("context", context), as_tensor("pose", pose), as_tensor("goal", goal)
        inputs = {"context": context, "pose": pose, "goal": goal, "noise": noise, "past_actions": past_actions}
        check_shapes(self.config, self._world_model, context, pose, goal, noise, proposals)
        check_finite(inputs, self._device)
        pins = checked_pins(pins or {})
        self._announce({**inputs, "proposals": proposals}, previous, pins)
        self._space.pin(pins)
        search = self._begin(previous, keep_candidates)
        scorer = self._compute.begin(context, pose, goal, past_actions, started)
        stopped_by = self._search(search, scorer, self._rivals(previous, proposals), noise)
        chosen = self._optimiser.finish(search, scorer)
        result = self._result(chosen, search, stopped_by, scorer, started)
        scorer.finish()
        return result

    def energy(self, latent: Tensor, goal: Tensor, pose: Tensor | np.ndarray | None = None) -> float:
        """Energy of an observed latent [N, D] given the goal [N, D]; waits for the device.

        Args:
            latent: of the camera's picture.
            goal: of the goal's picture.
            pose: [7] as in :meth:`plan`; zeros when not given.
        """
        return observed_energy(self.objective, latent, goal, pose)

    def _search(self, search: Search, scorer: Scorer, rivals: Tensor, noise: Tensor | None) -> StoppedBy:
        for iteration in range(self.config.cem_steps):
            drawn = self._noise(iteration, noise)[:, : scorer.most_samples]
            if not scorer.iterate(self._iterate, search, rivals, drawn):
                return "deadline"
            self._log(search)
            if self._converged(search, scorer):
                return "converged"
            rivals = rivals[:, :0]
        return "iterations"

    def _iterate(self, search: Search, score: Score, rivals: Tensor, noise: Tensor) -> bool:
        """One iteration; False when there was not the time to predict all candidates."""
        candidates = self._optimiser.propose(search, rivals, noise)
        energies = score(self._space.to_actions(candidates), self._optimiser.reserve)
        if len(energies) >= self.config.topk:
            self._optimiser.update(search, candidates[:, : len(energies)], energies)
        return len(energies) == candidates.shape[1]

    def _make_optimiser(self, setup: Setup) -> Optimiser:
        more = OptimiserSetup(**vars(setup), config=self.config, space=self._space)
        return make_part(OPTIMISERS, self.config.optimiser, more)

    def _announce(
        self, tensors: Mapping[str, Tensor | None], previous: PlanResult | None, pins: Mapping[int, float]
    ) -> None:
        """Have the other ranks, if there are any, make the same call."""
        if self._ranks is None or not self._ranks.leads:
            return
        inputs: dict[str, Any] = {name: None if value is None else value.cpu() for name, value in tensors.items()}
        inputs |= {"previous": None if previous is None else replace(previous, history=None), "pins": pins}
        state = self._generator.get_state()
        self._ranks.announce(Request(plain_settings(self.config), self.crop, state, inputs))

    def _begin(self, previous: PlanResult | None, records: bool) -> Search:
        """A search at the previous plan, moved on by a step, or at no motion."""
        start = Distribution(self._space.first_mean(), self._space.first_std)
        if previous is not None and self.config.warm_start:
            mean = self._space.from_actions(_one_step_on(previous.actions[None]))
            start = Distribution(self._space.admit(mean)[:, 0], self.config.warm_start_std * self._space.first_std)
        return Search(start, self.config.topk, self._kept, records=records)

    @property
    def _kept(self) -> int:
        """Elites that stay in the competition."""
        return round(self.config.keep_elites * self.config.topk)

    def _rivals(self, previous: PlanResult | None, proposals: Tensor | None) -> Tensor:
        """What competes in the first iteration beside the samples, [H, P, 4]."""
        rivals = [] if proposals is None else [proposals.float()]
        if previous is not None and self.config.warm_start and self._kept:
            rivals.append(_one_step_on(previous.elites[: self._kept]))
        if not rivals:
            return self._space.first_mean()[:, None][:, :0]
        return self._space.admit(torch.cat([self._space.from_actions(actions) for actions in rivals], dim=1))

    def _noise(self, iteration: int, given: Tensor | None) -> Tensor:
        """Standard normal numbers [H, S, 4] of an iteration."""
        return self._draw(self.config.samples_of(iteration)) if given is None else given[iteration].to(self._device)

    def _converged(self, search: Search, scorer: Scorer) -> bool:
        if not self.config.stop_spread:  # asking would wait for the device
            return False
        spread = search.spread / self._space.first_std
        return scorer.below(spread[:, :GRIPPER].max(), self.config.stop_spread)  # the sign of the gripper is enough

    def _result(
        self, chosen: Tensor, search: Search, stopped_by: StoppedBy, scorer: Scorer, started: float
    ) -> PlanResult:
        candidate_steps = scorer.predicted * self.config.rollout
        actions, stay = (
            self._space.to_actions(self._space.without_small_gripper_moves(each)) for each in (chosen, self._stay())
        )
        outlook = self._outlook(search, scorer, actions, stay)
        actions = actions.cpu()
        energies = tuple(torch.stack(search.energies).tolist()) if search.energies else ()
        check_result(energies, actions, name_of(self.objective))
        if not energies:
            self._report_no_time(warm=bool(actions.any()))
        return PlanResult(
            actions=actions,
            energies=energies,
            elite_std=search.spread.cpu(),
            elites=self._sequences(search.elites.candidates),
            elite_energies=search.elites.energies.cpu(),
            stopped_by=stopped_by,
            candidate_steps=candidate_steps,
            timings={"total": self._clock() - started},
            stay=None if outlook is None else stay.cpu(),
            outlook=outlook,
            history=self._history(search),
        )

    def _stay(self) -> Tensor:
        """[H, 4]: no motion, but for the coordinates that are given."""
        return self._space.admit(self._space.first_mean()[:, None])[:, 0]

    def _outlook(self, search: Search, scorer: Scorer, actions: Tensor, stay: Tensor) -> Outlook | None:
        """What the actions [H, 7] promise, compared with staying [H, 7]; None when there is no time for it."""
        if search.drawn is None:
            return None
        energies = scorer(torch.stack([actions, stay], dim=1))
        if len(energies) < _FORESEEN:
            return None
        expected, still, drawn = torch.cat([energies, search.drawn[None]]).tolist()
        return Outlook(still=still, expected=expected, drawn=drawn) if isfinite(still + expected + drawn) else None

    def _history(self, search: Search) -> tuple[Candidates, ...] | None:
        if search.history is None:
            return None
        return tuple(
            Candidates(actions=self._sequences(found.candidates), energies=found.energies.cpu())
            for found in search.history
        )

    def _sequences(self, candidates: Tensor) -> Tensor:
        """[H, S, 4] -> [S, H, 7] on the CPU."""
        return self._space.to_actions(candidates).transpose(0, 1).cpu()

    def _report_no_time(self, warm: bool) -> None:
        logger.warning(
            "time_budget=%s s is too short for an iteration (%d candidates take %.3f s): %s; allow more time",
            self.config.time_budget,
            self.config.topk,
            self.pace.predict(self.config.topk),
            "the previous plan, moved on by a step, is returned" if warm else "the plan is not to move",
        )
        self.pace.fade()

    def _log(self, search: Search) -> None:
        if not self.config.verbose:
            return
        mean, std = search.distribution
        found = f"energy {float(search.energies[-1]):.4f}, mean {mean[0].tolist()}, std {std[0].tolist()}"
        logger.info("iteration %d/%d: %s", len(search.energies), self.config.cem_steps, found)


def _one_step_on(actions: Tensor) -> Tensor:
    """[P, H, 7] without the step that was executed; the last one is repeated, so that a single step is kept."""
    return torch.cat([actions[:, 1:], actions[:, -1:]], dim=1)
