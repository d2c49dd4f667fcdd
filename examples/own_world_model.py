"""A world model of your own: nothing to inherit, four attributes and three methods (see WorldModel).

This one sees the mean colour of a picture, and believes that moving the arm by a metre changes it by one. The planner
takes it as it takes V-JEPA 2: ``CEMPlanner(ColourModel(), config)``. With this folder on PYTHONPATH so do the node
(``-p checkpoint:=own_world_model:ColourModel``) and ``vjepa-mpc evaluate --model own_world_model:ColourModel``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel import Crop


class ColourRollout:
    """Predicts the colours of many candidates side by side."""

    def __init__(self, colour: Tensor) -> None:
        self._seen = self._colour = colour

    def reset(self) -> None:
        """Go back to what was seen."""
        self._colour = self._seen

    def step(self, actions: Tensor) -> Tensor:
        """Actions [S, 7] -> latents [S, N = 1, D = 3]."""
        self._colour = self._colour + actions[:, None, :3]
        return self._colour


class ColourModel:
    """Latents are the mean red, green and blue of a picture, 0 to 1."""

    tokens_per_frame, embed_dim = 1, 3
    device, dtype = torch.device("cpu"), torch.float32

    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Pictures uint8 [B, height, width, 3] -> latents [B, 1, 3]."""
        return torch.as_tensor(images).float().mean(dim=(1, 2))[:, None] / 255.0

    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> ColourRollout:
        """Predict from the newest latent of a context [N, D] or [T, N, D]."""
        return ColourRollout(context.reshape(-1, 1, 3)[-1])

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        """Three numbers of four bytes per candidate."""
        return 12
