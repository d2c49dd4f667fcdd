"""How the sampling distribution follows from the candidates' energies."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vjepa_mpc.planning.actions import ActionSpace
from vjepa_mpc.planning.config import CEMConfig


class Distribution(NamedTuple):
    """Independent normal distributions of each searched coordinate, mean and standard deviation [H, 4]."""

    mean: Tensor
    std: Tensor


class Elites(NamedTuple):
    """The best candidates [H, K, 4] and their energies [K], lowest first."""

    candidates: Tensor
    energies: Tensor


Fit = Callable[[Tensor, Tensor, Elites], Distribution]
"""Candidates [H, S, 4], energies [S] and the elites among them -> their distribution, before any momentum."""


def select_elites(candidates: Tensor, energies: Tensor, count: int) -> Elites:
    """The ``count`` candidates of lowest energy."""
    lowest, index = energies.topk(count, largest=False)
    return Elites(candidates[:, index], lowest)


class Update:
    """Fits a distribution to the candidates and mixes it with the one that they were drawn from."""

    def __init__(self, config: CEMConfig, space: ActionSpace) -> None:
        self._fit: Fit = _mppi(config.temperature) if config.update == "mppi" else _cem
        self._momentum_mean = space.per_axis(config.momentum_mean, config.momentum_mean_gripper)
        self._momentum_std = space.per_axis(config.momentum_std, config.momentum_std_gripper)
        self._least_std = config.std_floor * space.first_std

    def __call__(
        self, old: Distribution, candidates: Tensor, energies: Tensor, elites: Elites
    ) -> tuple[Distribution, Tensor]:
        """The next distribution, and the spread [H, 4] of the candidates that it was fitted to."""
        fitted = self._fit(candidates, energies, elites)
        mean = torch.lerp(fitted.mean, old.mean, self._momentum_mean)
        std = torch.lerp(fitted.std, old.std, self._momentum_std)
        return Distribution(mean, torch.maximum(std, self._least_std)), fitted.std


def _cem(candidates: Tensor, energies: Tensor, elites: Elites) -> Distribution:
    return Distribution(elites.candidates.mean(dim=1), elites.candidates.std(dim=1))


def _mppi(temperature: float) -> Fit:
    def fit(candidates: Tensor, energies: Tensor, elites: Elites) -> Distribution:
        # Relative to the energies' spread, so that one temperature suits any model and any distance from the goal.
        scale = temperature * energies.std().clamp(min=torch.finfo(energies.dtype).tiny)
        weights = torch.softmax((energies.min() - energies) / scale, dim=0)[:, None]
        mean = (weights * candidates).sum(dim=1)
        return Distribution(mean, (weights * (candidates - mean[:, None]).square()).sum(dim=1).sqrt())

    return fit
