"""The nearest of the pictures that were seen, in place of a decoder."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor

REMEMBERED = 100  # pictures


class NearestSeen:
    """Remembers pictures with their latents, the newest ones.

    Args:
        most: so many are remembered.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._latents: deque[Tensor] = deque(maxlen=most)
        self._pictures: deque[np.ndarray] = deque(maxlen=most)

    def remember(self, latent: Tensor, picture: np.ndarray) -> None:
        """Add a picture.

        Args:
            latent: [N, D] of it.
            picture: uint8 RGB [S, S, 3], the part that the model sees.
        """
        self._latents.append(latent.to("cpu", torch.float16))
        self._pictures.append(picture)

    def nearest(self, latent: Tensor) -> np.ndarray | None:
        """The picture whose latent is least away from [N, D] (mean absolute difference); None while there is none."""
        if not self._latents:
            return None
        wanted = latent.cpu().float()
        away = [float((each.float() - wanted).abs().mean()) for each in self._latents]
        return self._pictures[int(np.argmin(away))]
