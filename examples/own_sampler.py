"""A sampler of your own: candidates with heavy tails, which try long moves more often than normal numbers do.

In Python: ``CEMConfig(sampling="own_sampler:Laplace")``; in ROS parameters ``sampling: own_sampler:Laplace``, with this
folder on PYTHONPATH.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.planning import Sampler


class Laplace(Sampler):
    """Numbers of a Laplace distribution with variance 1."""

    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> Tensor:
        """Numbers [H, S, 4] for x, y, z and gripper of each step."""
        uniform = torch.rand(horizon, samples, 4, generator=generator, device=generator.device) - 0.5
        return -uniform.sign() * torch.log1p(-2.0 * uniform.abs().clamp(max=0.4999999)) / 2**0.5
