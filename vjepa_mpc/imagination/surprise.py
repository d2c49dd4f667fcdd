"""What a world model expected beside what came: per patch, as one number, and over the picture."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from vjepa_mpc.worldmodel.preprocess import Crop, crop_box

REMEMBERED = 50  # comparisons that tell what is usual
_FEWEST = 5  # from how many on something is called usual
_SIDE = 384  # pixels of the picture
_BAR = 24  # of them below, under the words
_MOST_OPAQUE = 0.7  # of the colour where the surprise is largest
_RED = np.array([255.0, 30.0, 0.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Surprise:
    """One prediction beside what came. All are mean absolute differences of latents.

    Attributes:
        patches: [N] float32, of each patch.
        nothing: mean of them if the prediction had been that nothing changes.
        usual: median level of the comparisons before; NaN for fewer than five.
        scale: of a patch that is as wrong as few are: the largest usual one.
    """

    patches: np.ndarray
    nothing: float
    usual: float
    scale: float

    @property
    def level(self) -> float:
        """The one number: the mean over all patches."""
        return float(self.patches.mean())

    @property
    def side(self) -> int:
        """Patches along one side of the picture; 0 where they are no square."""
        side = math.isqrt(len(self.patches))
        return side if side**2 == len(self.patches) else 0


class SurpriseMeter:
    """Compares predictions with what came, and remembers what is usual."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=REMEMBERED)
        self._largest: deque[float] = deque(maxlen=REMEMBERED)

    def compare(self, before: Tensor, expected: Tensor, came: Tensor) -> Surprise:
        """How wrong a prediction was; waits for the device.

        Args:
            before: [N, D] latent where the action began.
            expected: [N, D] that was predicted after it.
            came: [N, D] that was seen then.
        """
        patches = (came.float() - expected.float()).abs().mean(dim=-1).cpu().numpy()
        nothing = float((came.float() - before.float()).abs().mean())
        usual = float(np.median(self._levels)) if len(self._levels) >= _FEWEST else math.nan
        scale = float(np.median([*self._largest, patches.max()]))
        found = Surprise(patches=patches, nothing=nothing, usual=usual, scale=scale)
        self._levels.append(found.level)
        self._largest.append(float(patches.max()))
        return found


def overlay(image: np.ndarray, surprise: Surprise, crop: Crop) -> np.ndarray:
    """The part of a picture that the model sees, redder where the prediction was more wrong.

    Args:
        image: uint8 RGB [height, width, 3] from the camera.
        surprise: with as many patches as a square has.
        crop: how the model cuts pictures.

    Returns:
        uint8 RGB [384, 384, 3], with the level in words.

    Raises:
        ValueError: the patches are no square.
    """
    side = surprise.side
    if not side:
        raise ValueError(f"{len(surprise.patches)} patches are no square: look at ~/surprise_values instead")
    seen = square(image, crop)
    share = (surprise.patches / max(surprise.scale, 1e-9)).clip(0.0, 1.0).reshape(side, side)
    opacity = _MOST_OPAQUE * cv2.resize(share, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)[..., None]
    drawn = np.rint((1.0 - opacity) * seen + opacity * _RED).astype(np.uint8)
    usual = "" if math.isnan(surprise.usual) else f", usual {surprise.usual:.3g}"
    write(drawn, f"surprise {surprise.level:.3g}{usual}")
    return drawn


def square(image: np.ndarray, crop: Crop, side: int = _SIDE) -> np.ndarray:
    """The part of a picture [height, width, 3] that the model sees, uint8 [side, side, 3]."""
    full_height, full_width = image.shape[:2]
    top, left, height, width = crop_box(full_height, full_width, crop)
    return cv2.resize(image[top : top + height, left : left + width], (side, side), interpolation=cv2.INTER_AREA)


def write(image: np.ndarray, text: str) -> None:
    """Words along the lower edge of a picture, uint8 [height, width, 3], white on black."""
    bottom = image.shape[0]
    image[bottom - _BAR :] = 0
    cv2.putText(image, text, (6, bottom - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
