"""Sharing one plan's candidates among several processes, one per GPU (``torchrun --nproc-per-node N``).

A process of the group is called a rank. Every rank draws the same candidates from the same random numbers, predicts its
share of them, and receives the energies of all. So every rank computes the same plan: the one that a single process
would compute. Rank 0 plans when it is asked to; the others run :func:`~vjepa_mpc.planning.compute.follow.follow`.

Ranks exchange tensors, names and plain values, never functions: what they agree on can be read in a log, and works
whatever was defined in which process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from vjepa_mpc.options import Plain
from vjepa_mpc.planning.compute.batches import Evaluator
from vjepa_mpc.planning.compute.budget import Budget

# Rank 0 may be silent for as long as it likes between two goals; a lost process is noticed by its closed connection.
_SILENCE = timedelta(days=365)


class RankLostError(RuntimeError):
    """A process of the group is gone or does not answer; planning cannot go on with this group."""


@dataclass(frozen=True)
class Request:
    """What rank 0 tells the other ranks, so that they compute the same plan.

    Attributes:
        settings: the planner's settings in plain form, the objective's name among them; see
            :func:`~vjepa_mpc.planning.settings.plain_settings`.
        crop: how pictures are cut before the world model sees them.
        random_state: of the generator, before the plan.
        inputs: arguments of :meth:`~vjepa_mpc.planning.CEMPlanner.plan`; tensors on the CPU.
    """

    settings: Mapping[str, Plain]
    crop: str
    random_state: Tensor
    inputs: Mapping[str, Any]


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

    def announce(self, message: Any) -> None:
        """Rank 0 sends a message to all others, which wait for it in :meth:`await_request`.

        Args:
            message: a :class:`Request` to plan along; None to end; anything else is handed to the function that
                :func:`~vjepa_mpc.planning.compute.follow.follow` was given.

        Raises:
            RankLostError: one of them is gone.
        """
        with self._named_loss():
            dist.broadcast_object_list([message], src=0, group=self._commands)

    def await_request(self) -> Any:
        """Every other rank waits for the next message of rank 0 and returns it.

        Raises:
            RankLostError: rank 0 is gone.
        """
        box: list[Any] = [None]
        with self._named_loss():
            dist.broadcast_object_list(box, src=0, group=self._commands)
        return box[0]

    def meet(self) -> None:
        """Wait until every rank has called this, however long that takes.

        Raises:
            RankLostError: one of them is gone.
        """
        with self._named_loss():
            dist.barrier(group=self._commands)

    def agree(self, value: int) -> int:
        """Rank 0's value, on every rank. For decisions that depend on measured times or on rounding.

        Raises:
            RankLostError: one of them is gone.
        """
        box = torch.tensor([value])
        with self._named_loss():
            dist.broadcast(box, src=0, group=self._values)
        return int(box)

    def as_leader(self, value: Tensor) -> Tensor:
        """Rank 0's tensor, on every rank; the others give one of the same shape and dtype, which is overwritten.

        Raises:
            RankLostError: one of them is gone.
        """
        value = value.contiguous()
        with self._named_loss():
            dist.broadcast(value, src=0, group=self._exchange)
        return value

    def gather(self, share: Tensor) -> Tensor:
        """One tensor [n] per rank -> [n * ranks] on every rank: first the first value of each rank, and so on.

        Raises:
            RankLostError: one of them is gone.
        """
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
    """Predicts this rank's share of the candidates; all ranks receive all energies.

    Candidates are dealt like cards: with three ranks, rank 1 takes candidates 1, 4, 7 … So when time ends early, the
    candidates that were predicted are the first ones. The last round is filled up with the last candidate, so that all
    ranks predict equally many. Rank 0's clock decides for all how many there is time for.

    Args:
        share: predicts on this rank, without a budget of its own.
        budget: of the plan.
        ranks: this process among the others.
    """

    def __init__(self, share: Evaluator, budget: Budget, ranks: Ranks) -> None:
        self._share, self._budget, self._ranks = share, budget, ranks
        self.predicted = 0

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """See :class:`Evaluator`; every rank calls this with the same actions [H, S, 7]."""
        ranks, samples = self._ranks, actions.shape[1]
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
