"""From one sampling distribution to the next: the update rule's fit, mixed with the old distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.planning.actions import ActionSpace
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.updates.interface import Distribution, Elites, Update


class Refit:
    """Momentum and least spread around an update rule.

    Args:
        rule: fits a distribution to candidates.
        config: shares of the old mean and standard deviation that are kept, and the least spread.
        space: what is searched.
    """

    def __init__(self, rule: Update, config: CEMConfig, space: ActionSpace) -> None:
        self._rule = rule
        self._momentum_mean = space.per_axis(config.momentum_mean, config.momentum_mean_gripper)
        self._momentum_std = space.per_axis(config.momentum_std, config.momentum_std_gripper)
        self._least_std = config.std_floor * space.first_std

    def __call__(
        self, old: Distribution, candidates: Tensor, energies: Tensor, elites: Elites
    ) -> tuple[Distribution, Tensor]:
        """The next distribution, and the spread [H, 4] of the candidates that it was fitted to."""
        fitted = self._rule.fit(candidates, energies, elites)
        mean = torch.lerp(fitted.mean, old.mean, self._momentum_mean)
        std = torch.lerp(fitted.std, old.std, self._momentum_std)
        return Distribution(mean, torch.maximum(std, self._least_std)), fitted.std
