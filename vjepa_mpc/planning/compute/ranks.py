"""Sharing one plan's candidates among several processes, one for each GPU (``torchrun --nproc-per-node N``).

Every rank draws the same candidates from the same random numbers, predicts its share of them, and learns all energies;
so every rank computes the same plan, which is the one that a single rank computes. Rank 0 plans when it is asked to;
the others run :func:`~vjepa_mpc.planning.compute.follow.follow`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from vjepa_mpc.planning.compute.budget import Budget
from vjepa_mpc.planning.compute.evaluation import Evaluator, Objective
from vjepa_mpc.planning.config import CEMConfig

# Between two goals rank 0 may be silent for as long as it likes; a lost process is noticed by its closed connection.
_SILENCE = timedelta(days=365)


class RankLostError(RuntimeError):
    """A process of the group is gone or does not answer; planning cannot go on with this group."""


@dataclass(frozen=True)
class Request:
    """What the other ranks need to plan along: the planner's settings, its random state and the inputs."""

    config: CEMConfig
    random_state: Tensor
    objective: Objective
    inputs: dict[str, Any]


class Ranks:
    """This process among the others of the default process group, which must be initialised.

    Args:
        timeout: seconds after which a rank that does not deliver its energies counts as lost.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self._exchange = dist.new_group(timeout=timedelta(seconds=timeout))
        self._commands = dist.new_group(backend="gloo", timeout=_SILENCE)
        self._values = dist.new_group(backend="gloo", timeout=timedelta(seconds=timeout))

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def announce(self, request: Any) -> None:
        """Rank 0: have the others plan along (a :class:`Request`), end (None), or do what their caller knows of.

        Raises:
            RankLostError: one of them is gone.
        """
        with self._named_loss():
            dist.broadcast_object_list([request], src=0, group=self._commands)

    def await_request(self) -> Any:
        """Other ranks: what rank 0 announces next.

        Raises:
            RankLostError: rank 0 is gone.
        """
        box: list[Any] = [None]
        with self._named_loss():
            dist.broadcast_object_list(box, src=0, group=self._commands)
        return box[0]

    def meet(self) -> None:
        """Wait until every rank is here, however long that takes.

        Raises:
            RankLostError: one of them is gone.
        """
        with self._named_loss():
            dist.barrier(group=self._commands)

    def agree(self, value: int) -> int:
        """Rank 0's value, on every rank: what depends on measured times differs between them."""
        box = torch.tensor([value])
        with self._named_loss():
            dist.broadcast(box, src=0, group=self._values)
        return int(box)

    def gather(self, share: Tensor) -> Tensor:
        """[n] of each rank -> [n * ranks], the ranks' first values first."""
        parts = [torch.empty_like(share) for _ in range(self.count)]
        with self._named_loss():
            dist.all_gather(parts, share.contiguous(), group=self._exchange)
        return torch.stack(parts, dim=1).flatten()

    @contextmanager
    def _named_loss(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise RankLostError(
                f"rank {self.rank} of {self.count} lost another rank while planning ({str(error).splitlines()[0]}): "
                "look at that process's output and start all of them again"
            ) from error


class ShardedEvaluator:
    """An :class:`Evaluator` for this rank's share of the candidates; all ranks get all energies.

    Rank 0's clock decides for everybody how many candidates there is time for.
    """

    def __init__(self, share: Evaluator, budget: Budget, ranks: Ranks) -> None:
        self._share, self._budget, self._ranks = share, budget, ranks
        self.predicted = 0

    @property
    def micro_batch(self) -> int:
        """Candidates that this rank predicts at once."""
        return self._share.micro_batch

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """See :class:`Evaluator`; every rank calls this with the same actions [H, S, 7]."""
        ranks, samples = self._ranks, actions.shape[1]
        # Each rank takes every so-manieth candidate, so that shares cut short still cover the first ones; a last,
        # incomplete round is filled up with candidates that are predicted twice.
        rounds = -(-samples // ranks.count)
        own = torch.arange(rounds, device=actions.device) * ranks.count + ranks.rank
        own = own.clamp(max=samples - 1)
        energies, done = [actions.new_empty(0)], 0
        while done < rounds and (granted := ranks.agree(self._budget.grant(rounds - done, reserve))):
            energies.append(self._share(actions[:, own[done : done + granted]]))
            done += granted
        found = ranks.gather(torch.cat(energies))[:samples]
        self.predicted += len(found)
        return found
