"""The interface of optimisers: the four hooks of one search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from vjepa_mpc.planning.actions import ActionSpace
from vjepa_mpc.planning.compute.scorer import Scorer
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.parts import Setup
from vjepa_mpc.planning.search import Search


@dataclass(frozen=True, kw_only=True)
class OptimiserSetup(Setup):
    """What an optimiser may know beside the usual.

    Attributes:
        config: all settings of the planner.
        space: what is searched, within which bounds.
    """

    config: CEMConfig
    space: ActionSpace


class Optimiser(ABC):
    """A method that finds action sequences of low energy.

    The planner's loop is: propose, predict and score, update; and at its end, finish. Optimisers see neither memory nor
    time limits, CUDA graphs or other processes. They keep nothing between the calls: all that changes is in the search.
    Candidates are [H, S, 4]: x, y, z in metres and the change of the gripper, for each step.
    """

    def prepare(self, setup: OptimiserSetup) -> None:  # noqa: B027  (most need nothing)
        """Called once, before the first search."""

    @property
    def reserve(self) -> int:
        """Predictions of one candidate each that :meth:`finish` needs; a time budget leaves room for them."""
        return 0

    @abstractmethod
    def propose(self, search: Search, rivals: Tensor, noise: Tensor) -> Tensor:
        """Candidates within bounds, for one iteration; may be recorded as a CUDA graph, and must not wait.

        Args:
            search: where it stands.
            rivals: [H, P, 4] candidates from elsewhere, to begin with; none (P = 0) after the first iteration.
            noise: [H, S, 4] standard normal numbers.
        """

    @abstractmethod
    def update(self, search: Search, candidates: Tensor, energies: Tensor) -> None:
        """Learn from candidates [H, S, 4] and their energies [S] float32, of which lower is better.

        It may be recorded as a CUDA graph, and must not wait. When a time budget ends the iteration early, these are
        its first candidates, but at least ``topk``.
        """

    @abstractmethod
    def finish(self, search: Search, scorer: Scorer) -> Tensor:
        """The sequence [H, 4] to return.

        Args:
            search: after the last iteration; it has no energies when there was not the time for one.
            scorer: predicts and scores further candidates.
        """
