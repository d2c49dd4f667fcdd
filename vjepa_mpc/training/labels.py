"""Simulator labels of a frame and the training-only heads that regress them.

A label is `[x, y, z, closedness, block x, block y, block z]` (metres, 0..1, robot base frame). The heads exist only
during training: they make sure that gripper and block are *in* the latent, and are dropped at export. With them the
encoder is supervised by the simulator, unlike V-JEPA 2's.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

LABELS = 7
#: Groups of label entries that are reported separately.
GROUPS: dict[str, slice] = {"pose": slice(0, 3), "gripper": slice(3, 4), "block": slice(4, 7)}
#: Cells a side into which a patch is averaged for the appearance head.
CELLS = 4


def frame_labels(states: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Labels float32 `[..., 7]` from states `[..., 7]` and block poses `[..., 7]` (position first)."""
    return np.concatenate([states[..., 0:3], states[..., 6:7], blocks[..., 0:3]], axis=-1).astype(np.float32)


def patch_colours(images: Tensor, patch_size: int, cells: int = CELLS) -> Tensor:
    """Mean colours of the cells of every patch.

    Args:
        images: float `[B, 3, H, W]`, any linear scale.

    Returns:
        `[B, N, 3 * cells * cells]`, tokens in the encoder's row-major order.
    """
    pooled = functional.avg_pool2d(images, patch_size // cells)
    batch, channels, height, width = pooled.shape
    grid = pooled.view(batch, channels, height // cells, cells, width // cells, cells)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * cells * cells)


class LabelHeads(nn.Module):
    """Linear read-outs: all tokens -> labels, one token -> labels, one token -> its patch's colours."""

    def __init__(self, tokens: int, embed_dim: int, mean: Tensor, std: Tensor, cells: int = CELLS) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.all_tokens = nn.Linear(tokens * embed_dim, LABELS)
        self.one_token = nn.Linear(embed_dim, LABELS)
        self.cells = cells
        self.colours = nn.Linear(embed_dim, 3 * cells * cells)
        nn.init.zeros_(self.all_tokens.weight)

    def normalise(self, labels: Tensor) -> Tensor:
        """Labels `[B, 7]` with the training set's mean and standard deviation removed."""
        return (labels - self.mean) / self.std

    def label_loss(self, latents: Tensor, labels: Tensor, gripper: float) -> Tensor:
        """Error of the regression from all tokens of `latents [B, N, D]`; `gripper` is that entry's weight."""
        return _regression_loss(self.all_tokens(latents.flatten(1)), self.normalise(labels), gripper, beta=0.1)

    def local_loss(self, latents: Tensor, labels: Tensor, gripper: float) -> Tensor:
        """Error of the regression from every single token."""
        return _regression_loss(self.one_token(latents), self.normalise(labels).unsqueeze(1), gripper, beta=0.5)

    def appearance_loss(self, latents: Tensor, colours: Tensor, weights: Tensor) -> Tensor:
        """Weighted error of the colours `[B, N, C]`; `weights` has the same shape (see `ForegroundWeights`)."""
        return ((self.colours(latents) - colours).abs() * weights).mean()

    @torch.no_grad()
    def predict(self, latents: Tensor) -> Tensor:
        """Labels `[B, 7]` in metres and closedness, read from all tokens."""
        return self.all_tokens(latents.flatten(1)) * self.std + self.mean


def _regression_loss(predicted: Tensor, target: Tensor, gripper: float, beta: float) -> Tensor:
    error = functional.smooth_l1_loss(predicted, target.expand_as(predicted), beta=beta, reduction="none")
    weights = torch.ones(LABELS)
    weights[GROUPS["gripper"]] = gripper
    return (error * weights).mean()


def foreground_weights(colours: Tensor, background: Tensor, floor: float = 0.2) -> Tensor:
    """Weights with mean 1 that favour what differs from the mean picture: arm, fingers and block, not table."""
    weights = floor + (colours - background).abs()
    return weights / weights.mean()


def r_squared(predicted: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of the labels' variance explained, by group of `GROUPS`; arguments `[B, 7]`."""
    residual = (predicted - labels).square().mean(dim=0)
    total = (labels - labels.mean(dim=0)).square().mean(dim=0).clamp_min(1e-9)
    return {name: float(1.0 - residual[part].sum() / total[part].sum()) for name, part in GROUPS.items()}
