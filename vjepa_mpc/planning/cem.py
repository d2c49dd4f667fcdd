"""Planning by the cross-entropy method in latent space (upstream ``notebooks/utils/mpc_utils.py``, ``cem``)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_mpc.planning.config import GRIPPER, CEMConfig
from vjepa_mpc.worldmodel.rollout import Rollout
from vjepa_mpc.worldmodel.world_model import WorldModel

logger = logging.getLogger(__name__)

Objective = Callable[[Tensor, Tensor], Tensor]

ACTION_DIM = 7
SEARCH_DIM = 4  # x, y, z and gripper
# Where x, y, z and gripper stand in an action [dx, dy, dz, drx, dry, drz, dgripper].
_SEARCHED = (0, 1, 2, 6)


def l1_energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean absolute distance of latents [S, N, D] from the goal [N, D], [S] float32: the published objective."""
    return (latents.float() - goal.float()).abs().mean(dim=(-2, -1))


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What a planner found.

    Attributes:
        actions: [H, 7] float32 on the CPU; the first one is to be executed.
        energies: lowest energy among the candidates of each iteration.
        elite_std: [H, 4] spread of the last elites in x, y, z (metres) and gripper.
        timings: seconds by stage; ``total`` covers the whole call.
    """

    actions: Tensor
    energies: tuple[float, ...]
    elite_std: Tensor
    timings: dict[str, float]


class CEMPlanner:
    """Samples action sequences, predicts where they lead, and refits the sampling distribution to the best.

    Args:
        world_model: predicts latents; see :class:`~vjepa_mpc.worldmodel.WorldModel`.
        config: how many, how far, how often.
        generator: source of the samples, on the world model's device; seeded with 0 when not given.
        objective: energy [S] of predicted latents [S, N, D] given the goal [N, D]; lower is better.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        generator: torch.Generator | None = None,
        objective: Objective = l1_energy,
    ) -> None:
        self.config = config
        self.objective = objective
        self._world_model = world_model
        self._device = world_model.device
        self._generator = generator or torch.Generator(device=self._device).manual_seed(0)
        bound = [config.maxnorm] * 3 + [config.gripper_clip]
        self._bound = torch.tensor(bound, device=self._device)
        self._momentum_mean = self._per_axis(config.momentum_mean, config.momentum_mean_gripper)
        self._momentum_std = self._per_axis(config.momentum_std, config.momentum_std_gripper)

    @torch.no_grad()
    def plan(
        self,
        context: Tensor,
        pose: Tensor,
        goal: Tensor,
        noise: Tensor | None = None,
        past_actions: Tensor | None = None,
    ) -> PlanResult:
        """Find actions that lead from the context to the goal.

        Args:
            context: [N, D] latent of the newest frame, or [T, N, D] of the last T frames.
            pose: [7] measured pose at that frame, or [T, 7].
            goal: [N, D] latent of the goal image.
            noise: [iterations, H, S, 4] standard normal numbers to use instead of drawing them.
            past_actions: [T - 1, 7] actions between the frames of a longer context.

        Raises:
            ValueError: the goal or the noise has another shape than expected.
        """
        started = time.perf_counter()
        config = self.config
        self._check(goal, noise)
        goal = goal.to(self._device)
        rollout = self._world_model.start_rollout(
            context.to(self._device), pose.to(self._device), self._batch(pose), config.rollout, past_actions
        )
        mean, std = self._first_distribution()
        best, elite_std = [], std
        for iteration in range(config.cem_steps):
            candidates = self._sample(mean, std, None if noise is None else noise[iteration].to(self._device))
            energies = self._evaluate(rollout, candidates, goal)
            elite_energies, elite = energies.topk(config.topk, largest=False)
            elites = candidates[:, elite]
            elite_std = elites.std(dim=1)
            mean = torch.lerp(elites.mean(dim=1), mean, self._momentum_mean)
            std = torch.lerp(elite_std, std, self._momentum_std)
            best.append(elite_energies[0])
            if config.verbose:
                found = f"energy {float(best[-1]):.4f}, mean {mean[0].tolist()}, std {std[0].tolist()}"
                logger.info("iteration %d/%d: %s", iteration + 1, config.cem_steps, found)
        return PlanResult(
            actions=self._to_actions(self._without_small_gripper_moves(mean)).cpu(),
            energies=tuple(torch.stack(best).tolist()),
            elite_std=elite_std.cpu(),
            timings={"total": time.perf_counter() - started},
        )

    def energy(self, latent: Tensor, goal: Tensor) -> float:
        """Energy of one latent [N, D] given the goal [N, D]."""
        return float(self.objective(latent[None], goal))

    def _first_distribution(self) -> tuple[Tensor, Tensor]:
        mean = torch.zeros(self.config.rollout, SEARCH_DIM, device=self._device)
        for axis, value in self.config.axis.items():
            mean[:, axis] = value
        return mean, self._per_axis(self.config.maxnorm, 1.0).expand_as(mean)

    def _sample(self, mean: Tensor, std: Tensor, noise: Tensor | None) -> Tensor:
        """Candidates [H, S, 4] from the distribution, clipped, with pins and gripper closing applied."""
        if noise is None:
            shape = (self.config.rollout, self.config.samples, SEARCH_DIM)
            noise = torch.randn(shape, generator=self._generator, device=self._device)
        candidates = (mean[:, None] + std[:, None] * noise).clamp(-self._bound, self._bound)
        for axis, value in self.config.axis.items():
            candidates[..., axis] = value
        if self.config.close_gripper is not None:
            candidates[self.config.close_gripper :, :, GRIPPER] = 1.0
        return candidates

    def _evaluate(self, rollout: Rollout, candidates: Tensor, goal: Tensor) -> Tensor:
        """Energies [S] of where the candidates [H, S, 4] end."""
        energies = []
        for batch in self._to_actions(candidates).split(self._batch_size, dim=1):
            rollout.reset()
            for actions in batch:
                latents = rollout.step(actions)
            energies.append(self.objective(latents, goal))
        return torch.cat(energies)

    def _batch(self, pose: Tensor) -> int:
        """How many candidates are predicted at once: all, or as many as the memory limit admits."""
        self._batch_size = self.config.samples
        if self.config.memory_limit_mb is not None:
            needed = self._world_model.rollout_bytes(self.config.rollout, 1 if pose.ndim == 1 else len(pose))
            self._batch_size = max(1, min(self.config.samples, int(self.config.memory_limit_mb * 1e6 / needed)))
        return self._batch_size

    def _to_actions(self, searched: Tensor) -> Tensor:
        """[..., 4] (x, y, z, gripper) -> [..., 7] with zero rotation."""
        actions = searched.new_zeros(*searched.shape[:-1], ACTION_DIM)
        actions[..., _SEARCHED] = searched
        return actions

    def _without_small_gripper_moves(self, mean: Tensor) -> Tensor:
        result = mean.clone()
        small = result[:, GRIPPER].abs() < self.config.gripper_dead_band
        result[:, GRIPPER] = result[:, GRIPPER].masked_fill(small, 0.0)
        return result

    def _per_axis(self, xyz: float, gripper: float) -> Tensor:
        return torch.tensor([xyz, xyz, xyz, gripper], device=self._device)

    def _check(self, goal: Tensor, noise: Tensor | None) -> None:
        config, model = self.config, self._world_model
        expected = (model.tokens_per_frame, model.embed_dim)
        if tuple(goal.shape) != expected:
            raise ValueError(f"goal latent is {list(goal.shape)}: expected {list(expected)} (encode one goal image)")
        noise_shape = (config.cem_steps, config.rollout, config.samples, SEARCH_DIM)
        if noise is not None and tuple(noise.shape) != noise_shape:
            raise ValueError(f"noise is {list(noise.shape)}: expected [iterations, H, S, 4] = {list(noise_shape)}")
