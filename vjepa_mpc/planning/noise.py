"""The noise of an iteration: what the sampler draws, with the wanted smoothness over the horizon."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.parts import Setup, make_part
from vjepa_mpc.planning.samplers import SAMPLERS

Draw = Callable[[int], Tensor]
"""Draws standard normal numbers [H, S, 4] for S candidates."""


def make_noise(config: CEMConfig, setup: Setup) -> Draw:
    """What draws the numbers that the settings ask for."""
    sampler, horizon, generator = make_part(SAMPLERS, config.sampling, setup), setup.horizon, setup.generator

    def white(samples: int) -> Tensor:
        return sampler.draw(samples, horizon, generator)

    if config.noise_colour == 0.0 or horizon == 1:
        return white
    colouring = colouring_matrix(horizon, config.noise_colour).to(generator.device)
    return lambda samples: torch.einsum("hk,ksd->hsd", colouring, white(samples))


def colouring_matrix(horizon: int, exponent: float) -> Tensor:
    """[H, H] float32 that turns white noise into noise whose power falls with frequency to the given exponent.

    Each step keeps variance 1. As in iCEM (arXiv 2008.06389, section 3.1) with frequencies of one period per horizon,
    but as a Cholesky factor of the covariance, so that any white noise can be coloured.
    """
    period = 2 * horizon  # of the circle that the spectrum describes; twice the horizon: the ends are independent
    frequency = torch.fft.rfftfreq(period, dtype=torch.float64).clamp(min=1.0 / period)
    covariance = torch.fft.irfft(frequency**-exponent, n=period)[:horizon]
    covariance = covariance / covariance[0]
    lag = (torch.arange(horizon)[:, None] - torch.arange(horizon)).abs()
    # The diagonal is raised a little because a strongly coloured covariance is singular to rounding.
    return torch.linalg.cholesky(covariance[lag] + 1e-9 * torch.eye(horizon, dtype=torch.float64)).float()
