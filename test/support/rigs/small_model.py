"""A V-JEPA world model of random weights, small enough to plan with in milliseconds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

SMALL_MODEL = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
    }
)


def small_model() -> VJEPAWorldModel:
    """Weights far enough from zero that actions matter; the same at each call."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        built = build_world_model(SMALL_MODEL)
        for weight in built.predictor.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return built


class Problem(NamedTuple):
    """Arguments of a plan."""

    context: Tensor
    pose: Tensor
    goal: Tensor


def problem(model: VJEPAWorldModel, seed: int = 2) -> Problem:
    """Latents of nothing in particular."""
    random = torch.Generator().manual_seed(seed)
    context, goal = (
        layer_norm_features(torch.randn(model.tokens_per_frame, model.embed_dim, generator=random)) for _ in range(2)
    )
    return Problem(context, torch.randn(7, generator=random), goal)
