"""Our pixel decoder: from the latent of one picture to the picture, small enough for a CPU beside the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

PIXELS = 16  # of the picture along a token's side
_SHUFFLED = 4  # of them that the last layer makes at once


@dataclass(frozen=True, kw_only=True)
class PixelConfig:
    """Sizes of the network.

    Attributes:
        grid: tokens along a side of the picture.
        latent_dim: D, the features of a token.
        width: channels at the tokens' resolution; less above.

    Raises:
        ValueError: a size is not possible.
    """

    grid: int
    latent_dim: int
    width: int = 160

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r} of a pixel decoder: give a whole number of at least 1")
        if self.width % 20:
            raise ValueError(f"width={self.width} of a pixel decoder: give a multiple of 20")

    @property
    def side(self) -> int:
        """Of the picture, in pixels."""
        return PIXELS * self.grid

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PixelConfig:
        """From what :func:`dataclasses.asdict` gave.

        Raises:
            ValueError: an entry is missing, unknown or not possible.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"the config of a pixel decoder cannot be used ({error})") from error


class PixelNetwork(nn.Module):
    """Convolutions that double the resolution twice, and a last one that makes 4 x 4 pixels a place.

    A map that is added at the tokens' resolution lets it learn what never changes, such as the table.
    """

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        width, half, third = config.width, 3 * config.width // 5, 2 * config.width // 5
        self.config = config
        self.embed = nn.Conv2d(config.latent_dim, width, 1)
        self.place = nn.Parameter(torch.zeros(1, width, config.grid, config.grid))
        self.block = _Block(width)
        self.first = _Doubled(width, half)
        self.second = _Doubled(half, third)
        self.pixels = nn.Conv2d(third, 3 * _SHUFFLED**2, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents [B, N, D] -> colours [B, 3, side, side], 0 to 1 where they are trained."""
        grid = self.config.grid
        tokens = latents.to(self.place.dtype).transpose(1, 2).unflatten(2, (grid, grid))
        features = self.block(self.embed(tokens) + self.place)
        return nn.functional.pixel_shuffle(self.pixels(self.second(self.first(features))), _SHUFFLED) + 0.5


class _Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *(nn.GELU(), nn.Conv2d(width, width, 3, padding=1)),
            *(nn.GELU(), nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.inner(features)


class _Doubled(nn.Module):
    """Twice the resolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        wide = nn.functional.interpolate(features, scale_factor=2, mode="nearest")
        return nn.functional.gelu(self.convolution(wide))
