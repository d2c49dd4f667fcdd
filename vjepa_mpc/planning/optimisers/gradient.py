"""The cross-entropy method, then gradient descent through the predictor from its best few candidates.

Sampling finds the right valley; the gradient finds its bottom, which sampling approaches slowly. It needs a world model
whose predictions can be differentiated: not one in eight bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.compute.scorer import Scorer
from vjepa_mpc.planning.optimisers.cem import CEM
from vjepa_mpc.planning.optimisers.interface import OptimiserSetup
from vjepa_mpc.planning.search import Search
from vjepa_mpc.planning.updates.interface import Elites, select_elites

_PREDICTIONS_PER_GRADIENT = 3  # a backward pass costs about two forward ones
_MEAN_DECAY, _SQUARE_DECAY, _EPSILON = 0.9, 0.999, 1e-12  # of Adam (arXiv 1412.6980)


class Gradient(CEM):
    """Adam on the mean and on the best candidates; the result is never worse than any of them."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """How far and how often.

        Attributes:
            candidates: sequences that descend side by side.
            steps: descent steps.
            step_size: first step, as a share of the bounds (``maxnorm``, ``gripper_clip``); it falls to 0 evenly.
        """

        candidates: int = option(
            4,
            "With optimiser=gradient: candidates that descend side by side.",
            low=1,
            high=1000,
            live=True,
        )
        steps: int = option(10, "With optimiser=gradient: number of descent steps.", low=1, high=1000, live=True)
        step_size: float = option(
            0.1,
            "With optimiser=gradient: size of the first descent step as a share of the bounds of an action. Later "
            "ones are smaller.",
            low=0.0001,
            high=1.0,
            live=True,
        )

        def __post_init__(self) -> None:
            check_options(self, "gradient.")

    def __init__(self, options: Options) -> None:
        self._options = options

    def prepare(self, setup: OptimiserSetup) -> None:
        """See :meth:`Optimiser.prepare`."""
        super().prepare(setup)
        self._bounds = self.space.per_axis(setup.config.maxnorm, setup.config.gripper_clip)

    @property
    def reserve(self) -> int:
        """See :attr:`Optimiser.reserve`."""
        return self._options.candidates * (_PREDICTIONS_PER_GRADIENT * self._options.steps + 1) + super().reserve

    def finish(self, search: Search, scorer: Scorer) -> Tensor:
        """The sequence of lowest energy that the descent comes by."""
        if not search.energies:
            return super().finish(search, scorer)
        found = self._descend(self._starts(search), scorer)
        if not torch.isfinite(found.energies).any():  # there was no time, or no gradient that leads anywhere
            return super().finish(search, scorer)
        best = select_elites(found.candidates, found.energies.nan_to_num(nan=torch.inf), 1)
        search.energies.append(best.energies[0])
        return best.candidates[:, 0]

    def _starts(self, search: Search) -> Tensor:
        """[H, K, 4]: the mean, the best candidate of all, and the elites."""
        mean, best, elites = search.distribution.mean[:, None], search.best.candidates, search.elites.candidates
        return self.space.admit(torch.cat([mean, best, elites], dim=1)[:, : self._options.candidates])

    def _descend(self, candidates: Tensor, scorer: Scorer) -> Elites:
        """The best place of each candidate [H, K, 4] on its way down, with its energy [K]."""
        best = Elites(candidates, candidates.new_full(candidates.shape[1:2], torch.inf))
        average, square = torch.zeros_like(candidates), torch.zeros_like(candidates)
        for step in range(self._options.steps):
            found = scorer.gradients(self.space.to_actions(candidates), _PREDICTIONS_PER_GRADIENT)
            if found is None:
                return best
            energies, slope = found[0], self.space.to_searched(found[1]) * self._bounds
            best = _better(best, candidates, energies)
            average = torch.lerp(slope, average, _MEAN_DECAY)
            square = torch.lerp(slope.square(), square, _SQUARE_DECAY)
            direction = (average / (1 - _MEAN_DECAY ** (step + 1))) / (
                (square / (1 - _SQUARE_DECAY ** (step + 1))).sqrt() + _EPSILON
            )
            size = self._options.step_size * (1 - step / self._options.steps)
            candidates = self.space.admit(candidates - size * self._bounds * direction)
        energies = scorer(self.space.to_actions(candidates))
        return _better(best, candidates, energies) if len(energies) == candidates.shape[1] else best


def _better(best: Elites, candidates: Tensor, energies: Tensor) -> Elites:
    """Candidate by candidate the one of lower energy; one that is not finite is no better than any."""
    lower = energies < best.energies
    return Elites(torch.where(lower[:, None], candidates, best.candidates), torch.where(lower, energies, best.energies))
