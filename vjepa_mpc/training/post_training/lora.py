"""Low-rank adapters (arXiv 2106.09685): few weights to train, merged into the matrices when the model is written."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vjepa_mpc.worldmodel import Predictor

_ORIGINAL = ".parametrizations.weight.original"
_DOWN, _UP = ".parametrizations.weight.0.down", ".parametrizations.weight.0.up"


class LowRank(nn.Module):
    """weight [out, in] -> weight + scale · up [out, rank] · down [rank, in]; ``up`` starts at zero."""

    def __init__(self, weight: Tensor, rank: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        self.scale = scale
        down = torch.randn(rank, weight.shape[1], generator=generator) * weight.shape[1] ** -0.5
        self.down = nn.Parameter(down.to(weight.device, weight.dtype))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The matrix that the layer multiplies by."""
        return weight + self.scale * (self.up @ self.down)


def adapt(predictor: Predictor, rank: int, alpha: float, seed: int) -> None:
    """Freeze the predictor but for adapters of its linear layers and for the layers too small to need one.

    The layers that read actions and states (7 inputs) are trained whole: they are what another arm changes most.
    """
    generator = torch.Generator().manual_seed(seed)
    predictor.requires_grad_(False)
    for layer in [module for module in predictor.modules() if isinstance(module, nn.Linear)]:
        if layer is predictor.extrinsics_encoder:
            continue
        if min(layer.weight.shape) <= rank or layer.in_features <= 7:
            layer.requires_grad_(True)
        else:
            adapter = LowRank(layer.weight, rank, alpha / rank, generator)
            parametrize.register_parametrization(layer, "weight", adapter)


def merged(state: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """A state dict with its adapters added to their matrices, under the keys of a predictor without adapters."""
    plain = {}
    for key, value in state.items():
        if key.endswith(_ORIGINAL):
            layer = key.removesuffix(_ORIGINAL)
            plain[f"{layer}.weight"] = value + scale * (state[layer + _UP] @ state[layer + _DOWN])
        elif not key.endswith((_DOWN, _UP)):
            plain[key] = value
    return plain
