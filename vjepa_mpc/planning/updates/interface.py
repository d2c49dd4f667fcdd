"""The interface of update rules, and what they work with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from vjepa_mpc.planning.parts import Setup


class Distribution(NamedTuple):
    """Independent normal distributions of each searched coordinate: mean and standard deviation, [H, 4] each."""

    mean: Tensor
    std: Tensor


class Elites(NamedTuple):
    """The best candidates [H, K, 4] and their energies [K] float32, lowest first."""

    candidates: Tensor
    energies: Tensor


class Update(ABC):
    """Fits a distribution to candidates whose energies are known.

    Momentum and the least spread are options of the planner, which work with every rule.
    """

    def prepare(self, setup: Setup) -> None:  # noqa: B027  (most need nothing)
        """Called once, before the first fit."""

    @abstractmethod
    def fit(self, candidates: Tensor, energies: Tensor, elites: Elites) -> Distribution:
        """The distribution of good candidates.

        It may be recorded as a CUDA graph: it must not wait for the device (``item``, ``float``, ``if tensor``), and
        its operations must not depend on values.

        Args:
            candidates: [H, S, 4] all candidates.
            energies: [S] float32, lower is better; not finite where a prediction failed.
            elites: the best of them.
        """


def select_elites(candidates: Tensor, energies: Tensor, count: int) -> Elites:
    """The ``count`` candidates of lowest energy, of candidates [H, S, 4] and energies [S]."""
    lowest, index = energies.topk(count, largest=False)
    return Elites(candidates[:, index], lowest)
