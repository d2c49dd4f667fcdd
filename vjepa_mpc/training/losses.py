"""Loss terms. Latents are layer-normed tokens `[B, N, D]`, labels are those of `vjepa_mpc.training.labels`."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor


def token_weights(before: Tensor, after: Tensor, strength: float) -> Tensor:
    """Weights `[B, N]`, mean about 1, that grow with how much a token changes between two latents.

    Most of the picture is still table: an unweighted loss is satisfied by copying it.
    """
    change = (after - before).abs().mean(dim=-1).detach()
    relative = change / change.mean().clamp_min(1e-6)
    return (1.0 + strength * relative) / (1.0 + strength)


def prediction_loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean absolute error; the target is a constant (no gradient), as in V-JEPA 2-AC."""
    return ((predicted - target.detach()).abs().mean(dim=-1) * weights).mean()


def variance_loss(latents: Tensor, minimum: float = 0.5) -> Tensor:
    """Hinge on each feature's standard deviation over frames and tokens (VICReg, arXiv 2105.04906)."""
    spread = torch.sqrt(latents.flatten(0, 1).var(dim=0) + 1e-4)
    return functional.relu(minimum - spread).mean()


def covariance_loss(latents: Tensor) -> Tensor:
    """Mean squared off-diagonal covariance of the features over frames and tokens (VICReg)."""
    flat = latents.flatten(0, 1)
    flat = flat - flat.mean(dim=0)
    covariance = flat.T @ flat / (len(flat) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / covariance.shape[0]


def latent_distance(first: Tensor, second: Tensor) -> Tensor:
    """The planner's energy: mean absolute difference over tokens and features, `[B]`."""
    return (first - second).abs().mean(dim=(-2, -1))


def label_distance(first: Tensor, second: Tensor, *, scale: float, gripper: float) -> Tensor:
    """`scale * (|position| + gripper * |closedness| + |block|)` between raw labels `[B, 7]`, in latent units `[B]`."""
    difference = first - second
    position = difference[..., 0:3].norm(dim=-1)
    block = difference[..., 4:7].norm(dim=-1)
    return scale * (position + gripper * difference[..., 3].abs() + block)


def metric_loss(distance: Tensor, target: Tensor, softness: float = 0.1) -> Tensor:
    """Absolute error of the latent distance, relative for long and absolute for short distances.

    The last centimetres decide the final error, so that near pairs must not drown in the errors of far ones.
    """
    return ((distance - target).abs() / (target + softness)).mean() * softness


def pair_shifts(count: int, number: int, generator: torch.Generator) -> list[int]:
    """`number` different cyclic shifts in 1..count-1 that pair the frames of a batch with each other."""
    available = torch.randperm(count - 1, generator=generator)[:number] + 1
    return [int(shift) for shift in available]
