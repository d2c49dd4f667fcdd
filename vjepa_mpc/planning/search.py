"""The state of one search: where it looks now, and the best that it has found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vjepa_mpc.planning.updates.interface import Distribution, Elites, select_elites

Fit = Callable[[Distribution, Tensor, Tensor, Elites], tuple[Distribution, Tensor]]
"""From the distribution before, candidates [H, S, 4], energies [S] and elites to the next distribution and the spread
[H, 4] of what it was fitted to."""


class Scored(NamedTuple):
    """Candidates that were predicted in one iteration, [H, S, 4], and their energies [S]."""

    candidates: Tensor
    energies: Tensor


class Search:
    """From one iteration to the next.

    Args:
        distribution: what the first candidates are drawn from.
        topk: elites per iteration.
        kept: how many of them stay in the competition. Predictions are exact, so they keep their energies.
        records: whether to keep what every iteration has predicted.

    Attributes:
        distribution: what the next candidates are drawn from.
        spread: [H, 4] standard deviation of the candidates that it was fitted to.
        elites: of the last iteration.
        best: the best candidate of all iterations, as an elite group of one.
        drawn: mean energy of the candidates of the first iteration whose energy is finite; None before it.
        energies: lowest energy of each iteration, each a tensor so that nobody waits for the device.
        history: what each iteration has predicted; None when it is not kept.
    """

    def __init__(self, distribution: Distribution, topk: int, kept: int, *, records: bool = False) -> None:
        self.distribution, self.spread = distribution, distribution.std
        self._topk, self._kept = topk, kept
        none = Elites(distribution.mean[:, None][:, :0], distribution.mean.new_empty(0))
        self.elites, self.best = none, none
        self.drawn: Tensor | None = None
        self.energies: list[Tensor] = []
        self.history: list[Scored] | None = [] if records else None

    @property
    def state(self) -> tuple[Tensor, ...]:
        """Every tensor that the next iteration depends on; their shapes are the same after each iteration."""
        return (*self.distribution, self.spread, *self.elites, *self.best)

    def twin(self, state: tuple[Tensor, ...]) -> Search:
        """Another search with the same settings, at this :attr:`state`."""
        twin = Search(Distribution(*state[:2]), self._topk, self._kept)
        twin.take_over(state)
        return twin

    def take_over(self, state: tuple[Tensor, ...]) -> None:
        """Be where another search is after an iteration; its :attr:`state`."""
        mean, std, self.spread, *rest = state
        self.distribution = Distribution(mean, std)
        self.elites, self.best = Elites(*rest[:2]), Elites(*rest[2:])
        self.energies.append(self.elites.energies[0])

    def advance(self, candidates: Tensor, energies: Tensor, refit: Fit) -> None:
        """Learn from candidates [H, S, 4] and their energies [S]; at least ``topk`` of them.

        Args:
            candidates: that were predicted.
            energies: theirs.
            refit: how the next distribution is found; not necessarily an update rule's.
        """
        if self.history is not None:
            self.history.append(Scored(candidates, energies))
        if self.drawn is None:
            self.drawn = torch.where(energies.isfinite(), energies, torch.nan).nanmean()
        if self._kept:
            candidates = torch.cat([candidates, self.elites.candidates[:, : self._kept]], dim=1)
            energies = torch.cat([energies, self.elites.energies[: self._kept]])
        self.elites = select_elites(candidates, energies, self._topk)
        self.distribution, self.spread = refit(self.distribution, candidates, energies, self.elites)
        self.energies.append(self.elites.energies[0])
        self.best = select_elites(
            torch.cat([self.best.candidates, self.elites.candidates[:, :1]], dim=1),
            torch.cat([self.best.energies, self.elites.energies[:1]]),
            1,
        )
