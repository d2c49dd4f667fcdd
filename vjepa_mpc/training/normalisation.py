"""Normalisation of actions and states during training, and its exact removal at export."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Smallest standard deviation of an action entry: 3 cm, 0.03 rad, 0.2 of the gripper's travel.
ACTION_STD_FLOOR = (0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.2)
#: Smallest standard deviation of a state entry. Rotations are constant in the data; a tiny std would blow up noise.
STATE_STD_FLOOR = (0.05, 0.05, 0.05, 0.3, 0.3, 0.3, 0.3)


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """`(value - mean) / std` for one of the predictor's inputs; `mean` and `std` are float32 `[7]`."""

    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        if self.mean.shape != (7,) or self.std.shape != (7,):
            raise ValueError(
                f"mean and std must have shape (7,), not {tuple(self.mean.shape)}, {tuple(self.std.shape)}"
            )
        if not bool((self.std > 0).all()):
            raise ValueError(f"every std must be positive, not {self.std.tolist()}")

    def __call__(self, values: Tensor) -> Tensor:
        """Normalise `values [..., 7]` (metres, radians, closedness)."""
        return (values - self.mean) / self.std

    def fold(self, weight: Tensor, bias: Tensor, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor]:
        """Weights of a Linear that takes raw values and gives what `Linear(self(values))` gave.

        The bias is computed from the weight *as stored* in `dtype`: a large mean (roll = pi) times the weight's
        rounding error would otherwise shift the output.

        Returns:
            weight `[out, 7]` and bias `[out]`, float32 (the weight exactly representable in `dtype`).
        """
        folded = (weight.double() / self.std.double()).to(dtype).double()
        shift = bias.double() - folded @ self.mean.double()
        return folded.float(), shift.float()

    def unfold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The way back: weights of a Linear that takes normalised values, from those of one that takes raw values."""
        raw, std = weight.double(), self.std.double()
        return (raw * std).float(), (bias.double() + raw @ self.mean.double()).float()


def fit_normaliser(values: np.ndarray, std_floor: tuple[float, ...], *, centre: bool) -> Normaliser:
    """Normaliser for `values [K, 7]`; actions are not centred, so that "no motion" stays zero."""
    if values.ndim != 2 or values.shape[1] != 7 or len(values) == 0:
        raise ValueError(f"expected values of shape [K, 7] with K > 0, not {values.shape}")
    mean = values.mean(axis=0) if centre else np.zeros(7)
    std = np.maximum(np.sqrt(((values - mean) ** 2).mean(axis=0)), np.asarray(std_floor))
    return Normaliser(mean=torch.from_numpy(mean).float(), std=torch.from_numpy(std).float())
