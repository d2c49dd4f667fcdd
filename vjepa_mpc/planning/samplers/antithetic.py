"""Each random sample together with its mirror image: the mean of the samples is exact."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.planning.samplers.gaussian import Gaussian


class Antithetic(Gaussian):
    """Half of the numbers are drawn; the other half are their negatives."""

    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> Tensor:
        """See :meth:`Sampler.draw`."""
        half = super().draw((samples + 1) // 2, horizon, generator)
        # A sample and its mirror image are neighbours, so that any part of the candidates stays balanced.
        return torch.stack([half, -half], dim=2).flatten(1, 2)[:, :samples]
