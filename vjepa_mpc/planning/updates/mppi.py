"""MPPI's rule (arXiv 1509.01149): fit to all candidates, weighted by exp(-energy / temperature)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.updates.interface import Distribution, Elites, Update


class MPPI(Update):
    """Mean and standard deviation of all candidates by weight."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """How much better candidates count more.

        Attributes:
            temperature: in standard deviations of the candidates' energies, so that one value suits any model and any
                distance from the goal. The lower, the more the best candidates decide.
        """

        temperature: float = option(
            0.3,
            "With update=mppi: temperature of the candidates' weights, in standard deviations of their energies.",
            low=0.001,
            high=100.0,
            live=True,
            former=("temperature",),
        )

        def __post_init__(self) -> None:
            check_options(self, "mppi.")

    def __init__(self, options: Options) -> None:
        self._temperature = options.temperature

    def fit(self, candidates: Tensor, energies: Tensor, elites: Elites) -> Distribution:
        """See :meth:`Update.fit`."""
        energies = _failed_as_worst(energies)
        scale = self._temperature * energies.std().clamp(min=torch.finfo(energies.dtype).tiny)
        weights = torch.softmax((energies.min() - energies) / scale, dim=0)[:, None]
        mean = (weights * candidates).sum(dim=1)
        return Distribution(mean, (weights * (candidates - mean[:, None]).square()).sum(dim=1).sqrt())


def _failed_as_worst(energies: Tensor) -> Tensor:
    """Energies with the highest finite one instead of those that are not finite."""
    finite = energies.isfinite()
    return torch.where(finite, energies, torch.where(finite, energies, -torch.inf).max())
