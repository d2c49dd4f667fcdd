"""Where candidates come from: standard normal numbers [H, S, 4], drawn in different ways."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from vjepa_mpc.planning.actions import SEARCH_DIM
from vjepa_mpc.planning.config import CEMConfig

Sampler = Callable[[int], Tensor]
"""Draws standard normal numbers [H, S, 4] for S candidates, on the generator's device."""


def make_sampler(config: CEMConfig, generator: torch.Generator) -> Sampler:
    """The sampler that the settings name."""
    horizon, device = config.rollout, generator.device

    def gaussian(samples: int) -> Tensor:
        return torch.randn(horizon, samples, SEARCH_DIM, generator=generator, device=device)

    def antithetic(samples: int) -> Tensor:
        half = gaussian((samples + 1) // 2)
        # A sample and its mirror image are neighbours, so that any part of the candidates stays balanced.
        return torch.stack([half, -half], dim=2).flatten(1, 2)[:, :samples]

    white: Sampler = gaussian
    if config.sampling == "antithetic":
        white = antithetic
    elif config.sampling == "sobol":
        white = _Sobol(config, generator)
    if config.noise_colour == 0.0 or horizon == 1:
        return white
    colouring = colouring_matrix(horizon, config.noise_colour).to(device)
    return lambda samples: torch.einsum("hk,ksd->hsd", colouring, white(samples))


def colouring_matrix(horizon: int, exponent: float) -> Tensor:
    """[H, H] float32 that turns white noise into noise whose power falls with frequency to the given exponent.

    Each step keeps variance 1. As in iCEM (arXiv 2008.06389, section 3.1) with frequencies of one period a horizon,
    but as a Cholesky factor of the covariance, so that any white noise can be coloured.
    """
    period = 2 * horizon  # of the circle that the spectrum describes; twice the horizon: the ends are independent
    frequency = torch.fft.rfftfreq(period, dtype=torch.float64).clamp(min=1.0 / period)
    covariance = torch.fft.irfft(frequency**-exponent, n=period)[:horizon]
    covariance = covariance / covariance[0]
    lag = (torch.arange(horizon)[:, None] - torch.arange(horizon)).abs()
    # The diagonal is raised a little because a strongly coloured covariance is singular to rounding.
    return torch.linalg.cholesky(covariance[lag] + 1e-9 * torch.eye(horizon, dtype=torch.float64)).float()


class _Sobol:
    """Scrambled Sobol points, shifted at random on the torus at each draw and mapped to the normal distribution.

    The points are made once, so that a draw costs one shift on the device and no copy from the CPU.
    """

    def __init__(self, config: CEMConfig, generator: torch.Generator) -> None:
        self._generator, self._horizon = generator, config.rollout
        engine = SobolEngine(config.rollout * SEARCH_DIM, scramble=True, seed=generator.initial_seed() % 2**63)
        self._points = engine.draw(config.samples).to(generator.device)

    def __call__(self, samples: int) -> Tensor:
        points = self._points[:samples]
        shift = torch.rand(points.shape[1], generator=self._generator, device=points.device)
        uniform = torch.remainder(points + shift, 1.0).clamp(1e-6, 1.0 - 1e-6)
        normal = torch.special.ndtri(uniform)
        return normal.view(-1, self._horizon, SEARCH_DIM).transpose(0, 1)
