"""Points that fill the space evenly instead of at random (a scrambled Sobol sequence)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from vjepa_mpc.planning.actions import SEARCH_DIM
from vjepa_mpc.planning.parts import Setup
from vjepa_mpc.planning.samplers.interface import Sampler


class Sobol(Sampler):
    """The points are shifted at random on the torus at each draw and mapped to the normal distribution.

    They are made once, so that a draw costs one shift on the device and no copy from the CPU.
    """

    def prepare(self, setup: Setup) -> None:
        """Make the points."""
        seed = setup.generator.initial_seed() % 2**63
        engine = SobolEngine(setup.horizon * SEARCH_DIM, scramble=True, seed=seed)
        self._points = engine.draw(setup.samples).to(setup.generator.device)

    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> Tensor:
        """See :meth:`Sampler.draw`."""
        points = self._points[:samples]
        shift = torch.rand(points.shape[1], generator=generator, device=points.device)
        uniform = torch.remainder(points + shift, 1.0).clamp(1e-6, 1.0 - 1e-6)
        normal = torch.special.ndtri(uniform)
        return normal.view(-1, horizon, SEARCH_DIM).transpose(0, 1)
