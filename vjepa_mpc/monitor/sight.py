"""What the monitor takes from pictures: latents, colours of their patches, sharpness, what changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from vjepa_mpc.worldmodel import Crop, WorldModel
from vjepa_mpc.worldmodel.preprocess import crop_box

_BATCH = 32
_SHARP_PATCH = 16  # pixels of a patch that the sharpness is measured in


@dataclass(frozen=True, kw_only=True, eq=False)
class Sights:
    """What was seen in T pictures, one after the other.

    Attributes:
        stamps: float64 [T] seconds, ascending.
        latents: float32 [T, N, D].
        small: float32 [T, S, S, 3], the pictures that the model sees, small, 0 to 255.
        sharpness: float32 [T, N], mean absolute Laplacian of each patch.
        change: float32 [T], mean absolute difference to the picture before, in grey levels; NaN for the first.
        states: float32 [T, 7] of :mod:`vjepa_mpc.geometry.pose`, or None without an arm that tells.
    """

    stamps: np.ndarray
    latents: np.ndarray
    small: np.ndarray
    sharpness: np.ndarray
    change: np.ndarray
    states: np.ndarray | None

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def side(self) -> int:
        """Patches along one side of the picture."""
        return math.isqrt(self.latents.shape[1])

    def at(self, index: int) -> Sights:
        """One of the pictures alone."""
        one = slice(index, index + 1)
        return Sights(
            stamps=self.stamps[one],
            latents=self.latents[one],
            small=self.small[one],
            sharpness=self.sharpness[one],
            change=self.change[one],
            states=None if self.states is None else self.states[one],
        )


class Eye:
    """Looks at pictures with an encoder.

    Args:
        model: whose latents are used; its patches have to be a square.
        crop: how it cuts pictures.

    Raises:
        ValueError: the patches are no square.
    """

    def __init__(self, model: WorldModel, crop: Crop = "square") -> None:
        side = math.isqrt(model.tokens_per_frame)
        if side**2 != model.tokens_per_frame:
            raise ValueError(f"{model.tokens_per_frame} patches are no square: the monitor needs an encoder with one")
        self._model, self._crop, self._side = model, crop, side
        self.small_side = side * (8 if side <= 8 else 4)
        self._before: np.ndarray | None = None

    def look(self, images: np.ndarray, stamps: Sequence[float] | np.ndarray, states: np.ndarray | None) -> Sights:
        """See pictures that follow those of the last call; :meth:`forget` begins another run.

        Args:
            images: uint8 RGB [T, H, W, 3].
            stamps: [T] seconds.
            states: [T, 7], or None.
        """
        before = [self._before if self._before is not None else None, *images[:-1]]
        change = [_difference(one, other) for one, other in zip(images, before, strict=True)]
        self._before = images[-1]
        seen = [self._cut(image) for image in images]
        return Sights(
            stamps=np.asarray(stamps, np.float64),
            latents=self._encode(images),
            small=np.stack([_resized(image, self.small_side) for image in seen]).astype(np.float32),
            sharpness=np.stack([_sharpness(image, self._side) for image in seen]),
            change=np.array(change, np.float32),
            states=None if states is None else np.asarray(states, np.float32),
        )

    def forget(self) -> None:
        """The next picture is the first of another run."""
        self._before = None

    def _cut(self, image: np.ndarray) -> np.ndarray:
        top, left, height, width = crop_box(image.shape[0], image.shape[1], self._crop)
        return image[top : top + height, left : left + width]

    def _encode(self, images: np.ndarray) -> np.ndarray:
        parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        with torch.inference_mode():
            latents = [self._model.encode(part, self._crop).float().cpu().numpy() for part in parts]
        return np.concatenate(latents)


def fingerprint(model: WorldModel, crop: Crop) -> tuple[float, ...]:
    """A few numbers that another encoder, or another crop, would make others: of a picture that is always the same."""
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    with torch.inference_mode():
        latent = model.encode(picture[None], crop)[0].float().cpu().numpy()
    chosen = np.linspace(0, latent.size - 1, 16).astype(int)
    return (
        float(latent.shape[0]),
        float(latent.shape[1]),
        *(round(float(value), 4) for value in latent.ravel()[chosen]),
    )


def same_encoder(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two fingerprints are of the same encoder; its precision may differ."""
    return len(one) == len(other) and bool(np.allclose(one, other, atol=0.1))


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _sharpness(image: np.ndarray, side: int) -> np.ndarray:
    grey = cv2.cvtColor(_resized(image, side * _SHARP_PATCH), cv2.COLOR_RGB2GRAY)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    return edges.reshape(side, _SHARP_PATCH, side, _SHARP_PATCH).mean(axis=(1, 3)).ravel()


def _difference(image: np.ndarray, before: np.ndarray | None) -> float:
    if before is None or before.shape != image.shape:
        return math.nan
    return float(cv2.absdiff(image, before).mean())
