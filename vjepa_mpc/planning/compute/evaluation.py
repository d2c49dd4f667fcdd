"""Energies of candidate action sequences, predicted in micro-batches that fit the memory and the time."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from vjepa_mpc.planning.compute.budget import Budget
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.worldmodel.interface import Rollout, WorldModel

logger = logging.getLogger(__name__)

Objective = Callable[[Tensor, Tensor], Tensor]

# Of a GPU's free memory. A recorded iteration keeps its tensors, while the first one of each plan needs its own.
_GPU_SHARE, _GPU_SHARE_WITH_GRAPH = 0.8, 0.4
_CPU_BYTES = 32e6  # a thread: about what its caches hold; larger micro-batches are slower, not faster


def l1_energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean absolute distance of latents [S, N, D] from the goal [N, D], [S] float32: the published objective."""
    return (latents.float() - goal.float()).abs().mean(dim=(-2, -1))


class Evaluator:
    """Energies of where action sequences end.

    Args:
        start: starts a rollout of so many candidates from the observed context.
        goal: [N, D] latent of the goal image.
        objective: energy [S] of predicted latents [S, N, D] given the goal.
        micro_batch: candidates that are predicted at once.
        budget: whether there is time for more.
        recover: when memory runs out, go on with smaller micro-batches instead of raising.

    Attributes:
        micro_batch: the same, halved each time that memory ran out.
        predicted: candidates so far.
    """

    def __init__(
        self,
        start: Callable[[int], Rollout],
        goal: Tensor,
        objective: Objective,
        micro_batch: int,
        budget: Budget,
        *,
        recover: bool = True,
    ) -> None:
        self._start, self._goal, self._objective, self._budget = start, goal, objective, budget
        self._recover = recover
        self.micro_batch, self.predicted = micro_batch, 0
        self._rollout: Rollout | None = None

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """Energies of the action sequences [H, S, 7]: of all [S], or of the first ones when time runs out.

        Time for predicting ``reserve`` candidates is left over.

        Raises:
            torch.OutOfMemoryError: there is no room for a single candidate, or no recovery is wanted.
        """
        energies: list[Tensor] = []
        done, samples = 0, actions.shape[1]
        while done < samples:
            granted = self._budget.grant(min(self.micro_batch, samples - done), reserve)
            if not granted:
                break
            found = self._predict(actions[:, done : done + granted])
            if found is None:
                self._halve()
                continue
            energies.append(found)
            done += len(found)
        self.predicted += done
        return torch.cat(energies) if energies else actions.new_empty(0)

    def _predict(self, actions: Tensor) -> Tensor | None:
        """Energies of a micro-batch [H, B, 7]; None when there is no memory for it."""
        try:
            if self._rollout is None:
                self._rollout = self._start(self.micro_batch)
            self._rollout.reset()
            for step in actions:
                latents = self._rollout.step(step)
            return self._objective(latents, self._goal)
        except RuntimeError as error:
            if self.micro_batch == 1 or not self._recover or not _out_of_memory(error):
                raise
        # Only here, where the error's traceback no longer holds the tensors, can the memory be freed.
        return None

    def _halve(self) -> None:
        self._rollout = None
        if torch.cuda.is_available():
            with suppress(RuntimeError):  # PyTorch before 2.12 cannot after the recording of a CUDA graph has failed
                torch.cuda.empty_cache()
        halved = self.micro_batch // 2
        logger.warning("no memory to predict %d candidates at once: going on with %d", self.micro_batch, halved)
        self.micro_batch = halved


def choose_micro_batch(config: CEMConfig, world_model: WorldModel, candidates: int, observed_frames: int) -> int:
    """How many of the candidates are predicted at once: as set, or in as few equal parts as the memory admits."""
    if config.micro_batch is not None:
        return min(candidates, config.micro_batch)
    if config.memory_limit_mb is not None:
        free = config.memory_limit_mb * 1e6
    elif world_model.device.type == "cuda":
        share = _GPU_SHARE_WITH_GRAPH if config.cuda_graphs else _GPU_SHARE
        free = share * _free_gpu_bytes(world_model.device)
    else:
        free = _CPU_BYTES * torch.get_num_threads()
    most = max(1, int(free / world_model.rollout_bytes(config.rollout, observed_frames)))
    parts = math.ceil(candidates / most)
    return math.ceil(candidates / parts)


def _free_gpu_bytes(device: torch.device) -> int:
    """What the device has left and what PyTorch keeps of earlier tensors for the next ones."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether that is what the error means; libraries under PyTorch say it in words of their own."""
    signs = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(sign in str(error) for sign in signs)
