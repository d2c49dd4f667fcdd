"""Held-out planning problems: what the camera sees, where the arm is, and the goal picture's latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.evaluation.episodes import episode_generator
from vjepa_mpc.planning import CEMConfig, CEMPlanner, PlanResult
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks.pick_place import PickPlaceTask
from vjepa_mpc.sim.tasks.reach import ReachTask
from vjepa_mpc.worldmodel import WorldModel
from vjepa_mpc.worldmodel.interface import Rollout


@dataclass(frozen=True)
class Problem:
    """Latents [N, D] of the picture and of the goal picture, and the pose [7] at the picture; on the CPU."""

    context: Tensor
    pose: Tensor
    goal: Tensor


def held_out_problems(world_model: WorldModel, count: int, seed: int) -> list[Problem]:
    """Half of the problems are reaches, half are steps from one sub-goal of picking and placing to the next.

    Starts and goals are drawn as in the evaluation, from another stream than any training data; the order is random,
    so that any first part is a fair sample.
    """
    problems: list[Problem] = []
    with FrankaSim() as sim:
        for episode in range(count):
            rng = episode_generator(seed, episode)
            if episode < (count + 1) // 2:
                problems += _problems(world_model, _reach(sim, rng))
            elif len(problems) < count:
                problems += _problems(world_model, _pick_place(sim, rng))
    order = np.random.default_rng(seed).permutation(count)
    return [problems[index] for index in order]


def _problems(world_model: WorldModel, scenes: list[tuple[np.ndarray, np.ndarray]]) -> list[Problem]:
    """From each picture, taken at its pose, to the next one."""
    latents = world_model.encode(np.stack([image for image, _ in scenes])).cpu()
    poses = [torch.as_tensor(pose, dtype=torch.float32) for _, pose in scenes]
    return [Problem(*problem) for problem in zip(latents, poses, latents[1:], strict=False)]


def _reach(sim: FrankaSim, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    task = ReachTask.sample(rng)
    goal = task.goals(sim)[0]
    task.start(sim)
    return [(sim.render(), sim.pose), (goal.image, goal.pose)]


def _pick_place(sim: FrankaSim, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(goal.image, goal.pose) for goal in PickPlaceTask.sample(rng).goals(sim)]


def plan_for(planner: CEMPlanner, problem: Problem) -> PlanResult:
    """The planner's answer to a problem."""
    return planner.plan(problem.context, problem.pose, problem.goal)


@torch.no_grad()
def reached_energy(world_model: WorldModel, config: CEMConfig, problem: Problem, result: PlanResult) -> float:
    """Energy of where the model says that the planned actions end."""
    planner = CEMPlanner(world_model, config)
    rollout = world_model.start_rollout(problem.context, problem.pose, 1, len(result.actions))
    for action in result.actions.to(world_model.device):
        latent = rollout.step(action[None])
    return planner.energy(latent[0], problem.goal.to(world_model.device))


class OneStepMemory:
    """A world model that remembers what single steps lead to: plans that begin alike share their predictions.

    It gives exactly what the model gives, for one observed frame and pose only.
    """

    def __init__(self, world_model: WorldModel) -> None:
        self._world_model = world_model
        self._known: dict[bytes, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world_model, name)

    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> Rollout:
        """See :class:`~vjepa_mpc.worldmodel.WorldModel`; of one step.

        Raises:
            ValueError: more steps.
        """
        if horizon != 1:
            raise ValueError(f"horizon={horizon}: only single steps are remembered")
        return _RememberedStep(
            self._world_model.start_rollout(context, pose, samples, horizon, past_actions), self._known
        )


class _RememberedStep:
    def __init__(self, rollout: Rollout, known: dict[bytes, Tensor]) -> None:
        self._rollout, self._known = rollout, known

    def step(self, actions: Tensor) -> Tensor:
        """See :class:`~vjepa_mpc.worldmodel.vjepa.rollout.Rollout`."""
        key = actions.cpu().numpy().tobytes()
        if key not in self._known:
            self._known[key] = self._rollout.step(actions)
        return self._known[key]

    def reset(self) -> None:
        """See :class:`~vjepa_mpc.worldmodel.vjepa.rollout.Rollout`."""
        self._rollout.reset()
