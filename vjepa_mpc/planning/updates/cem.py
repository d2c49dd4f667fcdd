"""The cross-entropy method's rule: fit to the elites, each of which counts the same."""

from __future__ import annotations

from torch import Tensor

from vjepa_mpc.planning.updates.interface import Distribution, Elites, Update


class CEM(Update):
    """Mean and unbiased standard deviation of the elites, as published."""

    def fit(self, candidates: Tensor, energies: Tensor, elites: Elites) -> Distribution:
        """See :meth:`Update.fit`."""
        return Distribution(elites.candidates.mean(dim=1), elites.candidates.std(dim=1))
