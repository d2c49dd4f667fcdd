"""Energies of candidate action sequences, predicted in micro-batches that fit the memory and the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from vjepa_mpc.planning.compute.budget import Budget
from vjepa_mpc.planning.compute.memory import halved, out_of_memory
from vjepa_mpc.planning.objectives.interface import Objective, Predicted, check_energies
from vjepa_mpc.worldmodel.interface import Rollout

T = TypeVar("T")
Start = Callable[[int], Rollout]
"""Starts a rollout from the observed context, with room for so many candidates."""


class Problem(NamedTuple):
    """What is planned from and to, on the world model's device.

    Attributes:
        context: [N, D] latent of the newest frame, or [T, N, D] of the last T frames.
        pose: [7] at that frame, or [T, 7].
        goal: [N, D] latent of the goal image.
        past_actions: [T - 1, 7] between the frames.
    """

    context: Tensor
    pose: Tensor
    goal: Tensor
    past_actions: Tensor

    @property
    def frames(self) -> int:
        """Observed frames (T)."""
        return 1 if self.pose.ndim == 1 else len(self.pose)

    @property
    def newest_pose(self) -> Tensor:
        """[7] pose at the newest frame."""
        return self.pose if self.pose.ndim == 1 else self.pose[-1]


class Evaluator:
    """Scores action sequences, micro-batch by micro-batch.

    Args:
        start: starts rollouts.
        problem: has the goal and the pose at which actions begin.
        objective: scores what is predicted.
        micro_batch: candidates that are predicted at once.
        budget: whether there is time for more.
        recorded: for one iteration that is recorded as a CUDA graph: an error when memory runs out instead of another
            attempt with half the micro-batch, and no room for more candidates than there are.

    Attributes:
        micro_batch: the same, halved each time that memory ran out.
        predicted: candidates so far, without those of :meth:`gradients`.
    """

    def __init__(
        self,
        start: Start,
        problem: Problem,
        objective: Objective,
        micro_batch: int,
        budget: Budget,
        *,
        recorded: bool = False,
    ) -> None:
        self._start, self._problem, self._objective, self._budget = start, problem, objective, budget
        self._recorded = recorded
        self.micro_batch, self.predicted = micro_batch, 0
        self._rollout: Rollout | None = None

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """Energies of the action sequences [H, S, 7]: of all [S], or of the first ones when time runs out.

        Time for predicting ``reserve`` more candidates is left over.

        Raises:
            torch.OutOfMemoryError: there is no room for a single candidate.
            ValueError: the objective returned something else than one energy per candidate.
        """
        energies: list[Tensor] = []
        done, samples = 0, actions.shape[1]
        while done < samples:
            granted = self._budget.grant(min(self.micro_batch, samples - done), reserve)
            if not granted:
                break
            found = self._recovering(self._predict, actions[:, done : done + granted])
            if found is not None:
                energies.append(found)
                done += len(found)
        self.predicted += done
        return torch.cat(energies) if energies else actions.new_empty(0)

    def gradients(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Energies [S] of the action sequences [H, S, 7] and their derivatives by the actions [H, S, 7].

        Raises:
            ValueError: the predictions do not depend on the actions in a way that can be differentiated.
            torch.OutOfMemoryError: there is no room for a single candidate.
        """
        found: list[tuple[Tensor, Tensor]] = []
        done, samples = 0, actions.shape[1]
        while done < samples:
            part = self._recovering(self._differentiate, actions[:, done : done + self.micro_batch])
            if part is not None:
                found.append(part)
                done += len(part[0])
        energies, slopes = zip(*found, strict=True)
        return torch.cat(energies), torch.cat(slopes, dim=1)

    def _predict(self, actions: Tensor) -> Tensor:
        """Energies of a micro-batch [H, B, 7]."""
        if self._rollout is None:
            self._rollout = self._start(actions.shape[1] if self._recorded else self.micro_batch)
        return self._score(self._rollout, actions)

    def _score(self, rollout: Rollout, actions: Tensor) -> Tensor:
        rollout.reset()
        steps = [rollout.step(step) for step in actions]
        predicted = Predicted(steps, actions.transpose(0, 1), self._problem.newest_pose)
        return check_energies(self._objective(predicted, self._problem.goal), actions.shape[1], self._objective)

    @torch.enable_grad()
    def _differentiate(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        variable = actions.detach().clone().requires_grad_()
        energies = self._score(self._start(actions.shape[1]), variable)
        if not energies.requires_grad:
            raise ValueError(
                "this world model's predictions cannot be differentiated by the actions: use optimiser=cem, or a model "
                "that is not quantised"
            )
        (slope,) = torch.autograd.grad(energies.sum(), variable)
        return energies.detach(), slope

    def _recovering(self, work: Callable[[Tensor], T], actions: Tensor) -> T | None:
        """What the work finds for a micro-batch; None, with the micro-batch halved, when there is no memory for it."""
        try:
            return work(actions)
        except RuntimeError as error:
            if self.micro_batch == 1 or self._recorded or not out_of_memory(error):
                raise
        # Only here, where the error's traceback no longer holds the tensors, can the memory be freed.
        self._rollout = None
        self.micro_batch = halved(self.micro_batch)
        return None
