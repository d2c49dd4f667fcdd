"""The cross-entropy method: sample, keep the best, fit the next distribution to them (upstream ``mpc_utils.cem``).

With the default settings this is the published planner; the update rule, kept elites, the mean as a candidate and the
returned sequence are options.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.planning.compute.scorer import Scorer
from vjepa_mpc.planning.optimisers.interface import Optimiser, OptimiserSetup
from vjepa_mpc.planning.parts import make_part
from vjepa_mpc.planning.refit import Refit
from vjepa_mpc.planning.search import Search
from vjepa_mpc.planning.updates import UPDATES
from vjepa_mpc.planning.updates.interface import select_elites


class CEM(Optimiser):
    """Samples action sequences and refits the sampling distribution to the best."""

    def prepare(self, setup: OptimiserSetup) -> None:
        """See :meth:`Optimiser.prepare`."""
        self.space, self.config = setup.space, setup.config
        self._refit = Refit(make_part(UPDATES, setup.config.update, setup), setup.config, setup.space)

    @property
    def reserve(self) -> int:
        """See :attr:`Optimiser.reserve`."""
        return 1 if self.config.selection == "best" else 0

    def propose(self, search: Search, rivals: Tensor, noise: Tensor) -> Tensor:
        """See :meth:`Optimiser.propose`."""
        mean, std = (each[:, None] for each in search.distribution)
        own = [self.space.admit(mean)] if self.config.mean_candidate else []
        return torch.cat([rivals, *own, self.space.admit(mean + std * noise)], dim=1)

    def update(self, search: Search, candidates: Tensor, energies: Tensor) -> None:
        """See :meth:`Optimiser.update`."""
        search.advance(candidates, energies, self._refit)

    def finish(self, search: Search, scorer: Scorer) -> Tensor:
        """The last mean, or the better one of it and the best candidate."""
        mean = search.distribution.mean
        if not search.energies:  # nothing was learnt: the start, with what is given
            return self.space.admit(mean[:, None])[:, 0]
        if self.config.selection == "mean":
            return mean
        energy = scorer(self.space.to_actions(mean[:, None]))  # empty when there is no time for it
        candidates = torch.cat([search.best.candidates, mean[:, None]], dim=1)[:, : 1 + len(energy)]
        return select_elites(candidates, torch.cat([search.best.energies, energy]), 1).candidates[:, 0]
