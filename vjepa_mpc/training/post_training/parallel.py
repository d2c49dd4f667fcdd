"""Several processes under ``torchrun``: who does what, and the sums that all of them need.

DDP keeps a whole predictor on every rank; FSDP2 (``fully_shard``) splits weights, gradients and moments between them.
A batch is the same whatever the number of ranks: each takes its part of the rows.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import nn

from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.worldmodel import choose_device

T = TypeVar("T")
# The first rank that has encoded its recordings waits for the last one.
_PATIENCE = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Parallel:
    """This process's place among ``world`` ones; ``sharded`` says FSDP2 instead of DDP."""

    rank: int = 0
    world: int = 1
    sharded: bool = False

    @classmethod
    def current(cls, sharded: bool = False) -> Parallel:
        """As torch.distributed is set up now; alone when it is not."""
        if not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size(), sharded)

    @property
    def first(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This rank's run of a batch.

        Raises:
            PostTrainingError: the batch does not divide.
        """
        if len(items) % self.world:
            raise PostTrainingError(
                f"batch_size={len(items)} does not divide among {self.world} ranks: choose a multiple of {self.world}"
            )
        part = len(items) // self.world
        return items[self.rank * part : (self.rank + 1) * part]

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over all ranks."""
        return self.total(values) / self.world

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all ranks."""
        if self.world == 1:
            return values
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    def any(self, flag: bool) -> bool:
        """Whether the flag is up on at least one rank: every rank gets the same answer."""
        return bool(self.total(torch.tensor(float(flag))) > 0)

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.world > 1:
            dist.barrier()

    def wrap(self, module: nn.Module, blocks: Sequence[nn.Module]) -> nn.Module:
        """The module, made to train on all ranks; ``blocks`` are the parts that FSDP2 gathers one at a time."""
        if self.sharded:
            from torch.distributed.fsdp import fully_shard

            device = next(module.parameters()).device.type
            mesh = dist.init_device_mesh(device, (self.world,))
            for block in blocks:
                fully_shard(block, mesh=mesh)
            return cast("nn.Module", fully_shard(module, mesh=mesh))
        if self.world == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)


def join_ranks(device: str | None) -> torch.device:
    """Set up torch.distributed where ``torchrun`` asks for it; the device of this process.

    Args:
        device: "cpu", "cuda", or None to take a GPU where there is one.

    Raises:
        ValueError: no such device on this machine.
    """
    together = "WORLD_SIZE" in os.environ
    chosen = choose_device(f"cuda:{os.environ['LOCAL_RANK']}" if together and device == "cuda" else device or "auto")
    if not together:
        return chosen
    if not dist.is_initialized():
        # Flags and checkpoints are exchanged as CPU tensors, gradients as the device's.
        dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    return chosen


def leave_ranks() -> None:
    """Undo :func:`join_ranks`."""
    if dist.is_initialized():
        dist.destroy_process_group()
