"""Independent random numbers, as in the published planner."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.planning.actions import SEARCH_DIM
from vjepa_mpc.planning.samplers.interface import Sampler


class Gaussian(Sampler):
    """Every number is drawn for itself."""

    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> Tensor:
        """See :meth:`Sampler.draw`."""
        return torch.randn(horizon, samples, SEARCH_DIM, generator=generator, device=generator.device)
