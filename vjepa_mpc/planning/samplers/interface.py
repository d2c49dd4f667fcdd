"""The interface of samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from vjepa_mpc.planning.parts import Setup


class Sampler(ABC):
    """Draws the random numbers that candidates are made of: candidate = mean + standard deviation * number."""

    def prepare(self, setup: Setup) -> None:  # noqa: B027  (most need nothing)
        """Called once, before anything is drawn."""

    @abstractmethod
    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> Tensor:
        """Standard normal numbers [H, S, 4] float32 for x, y, z and gripper, on the generator's device.

        Steps must be independent of each other: smoothness over the horizon is the option ``noise_colour``, which works
        with every sampler. All random numbers come from the generator, so that the seed decides the plan.

        Args:
            samples: candidates (S); at most those of the setup.
            horizon: steps (H); those of the setup.
            generator: source of random numbers.
        """
