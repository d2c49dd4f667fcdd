"""A world model that needs no learning: a point whose position is written into the picture's colour.

For tests of planning and control, and as the smallest example of a world model of one's own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.preprocess import Crop


class PointMassWorldModel:
    """The image's mean colour is the position; an action moves it by [dx, dy, dz] exactly.

    Red, green and blue run linearly over x, y and z of the box from ``low`` to ``high`` (metres). The latent is the
    position itself: one token of three features, so that the L1 energy is the mean absolute distance along the axes.
    """

    tokens_per_frame = 1
    embed_dim = 3

    def __init__(
        self,
        low: tuple[float, float, float] = (0.3, -0.3, 0.0),
        high: tuple[float, float, float] = (0.8, 0.3, 0.5),
        device: torch.device | str = "cpu",
    ) -> None:
        self.device, self.dtype = torch.device(device), torch.float32
        self.low = torch.tensor(low, device=self.device)
        self.high = torch.tensor(high, device=self.device)

    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Images uint8 RGB [B, H, W, 3] -> positions in metres [B, 1, 3]; the crop does not matter to a mean colour."""
        colour = torch.as_tensor(images).to(self.device, self.dtype).mean(dim=(1, 2)) / 255.0
        return (self.low + colour * (self.high - self.low))[:, None]

    def render(self, pose: Tensor | np.ndarray, size: int = 8) -> np.ndarray:
        """The picture [size, size, 3] uint8 of a point at ``pose`` [3 or 7]; positions outside the box are clipped.

        Of the pose (:mod:`vjepa_mpc.geometry.pose`) only x, y, z count.

        Rows alternate between the two neighbouring grey levels so that the mean keeps fractions of a level.
        """
        position = torch.as_tensor(pose, dtype=self.dtype, device=self.device)[:3]
        level = ((position - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * 255.0
        pixels = torch.arange(size * size, device=self.device, dtype=self.dtype)
        dithered = torch.floor(level + ((pixels + 0.5) / (size * size))[:, None]).clamp(0, 255)
        return dithered.reshape(size, size, 3).to(torch.uint8).cpu().numpy()

    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> PointMassRollout:
        """Begin at the newest context [1, 3]; poses, past actions and the limits are not needed.

        See :meth:`~vjepa_mpc.worldmodel.interface.WorldModel.start_rollout`.
        """
        return PointMassRollout(context.reshape(-1, 1, 3)[-1])

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        """One position of three float32 a candidate."""
        return 12


class PointMassRollout:
    """:class:`~vjepa_mpc.worldmodel.interface.Rollout` of a point."""

    def __init__(self, position: Tensor) -> None:
        self._start = self._position = position

    def reset(self) -> None:
        """Back to where the rollout began."""
        self._position = self._start

    def step(self, actions: Tensor) -> Tensor:
        """Actions [S, 7] -> positions [S, 1, 3] in metres."""
        self._position = self._position + actions[:, None, :3]
        return self._position
