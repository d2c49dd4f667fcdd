"""Has the camera moved? Registers a picture with the still background of the fitted runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

_BLUR = 1.0  # pixels
_ROUNDS = 8
_SETTLED = 0.02  # pixels: a smaller step is the last one
_COUNTS = 0.3  # weight from which on a pixel counts as still
_STIFF = np.diag([50.0, 50, 50, 50, 50, 50, 1e3, 1e-3])  # keeps what the picture does not tell near nothing
_STILL = 4.0  # grey levels of noise that a still pixel has


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """What does not move in the picture.

    Attributes:
        grey: float32 [S, S], its median.
        weight: float32 [S, S], 1 where nothing ever moves, towards 0 where much does.
    """

    grey: np.ndarray
    weight: np.ndarray

    def displacement(self, small: np.ndarray) -> float:
        """By how many pixels of the small picture [S, S, 3] the background seems moved.

        An affine motion, a gain and an offset are found by Gauss-Newton; what does not fit (an arm, a hand, an object)
        loses its weight.
        """
        grey = _grey(small)
        across, down = _places(len(grey))
        motion = np.zeros(6, np.float32)
        for _ in range(_ROUNDS):
            step = self._step(grey, motion, across, down)
            motion = np.clip(motion + step, -len(grey) / 6, len(grey) / 6).astype(np.float32)
            if np.abs(step).max() < _SETTLED:
                break
        shift_x = motion[0] + motion[1] * across + motion[2] * down
        shift_y = motion[3] + motion[4] * across + motion[5] * down
        return float(np.sqrt(shift_x**2 + shift_y**2).mean())

    def _step(self, grey: np.ndarray, motion: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """What to add to a motion [6] so that the moved picture fits better."""
        now, inner = _moved(grey, motion, across, down)
        difference = now - self.grey
        weight = self.weight * inner
        still = weight > _COUNTS
        residual = difference - np.median(difference[still])
        scale = max(float(np.median(np.abs(residual[still]))), 1.0)
        weight /= (1.0 + (residual / (2.5 * scale)) ** 2) ** 2
        dy, dx = np.gradient(now)
        columns = np.stack([dx, dx * across, dx * down, dy, dy * across, dy * down, now, np.ones_like(now)])
        columns = columns.reshape(8, -1)
        weighted = columns * weight.ravel()
        normal = (weighted @ columns.T).astype(np.float64) + _STIFF
        return np.linalg.solve(normal, -(weighted @ difference.ravel()).astype(np.float64))[:6]


def fit_background(pictures: Sequence[np.ndarray]) -> Background:
    """From small pictures [T, S, S, 3] of many moments of normal runs."""
    greys = np.stack([_grey(each) for each in pictures])
    middle = np.median(greys, axis=0)
    noise = np.median(np.abs(greys - middle), axis=0) + np.abs(greys - middle).mean(axis=0)
    return Background(
        grey=middle.astype(np.float32), weight=(1.0 / (1.0 + (noise / _STILL) ** 2) ** 2).astype(np.float32)
    )


def _grey(small: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(small.mean(axis=-1).astype(np.float32), (0, 0), _BLUR)


@cache
def _places(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel is, from -1 to 1: across and down, float32 [side, side]."""
    across, down = np.meshgrid(*[np.linspace(-1.0, 1.0, side, dtype=np.float32)] * 2)
    return across, down


def _moved(grey: np.ndarray, motion: np.ndarray, across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture [S, S] moved by a motion [6], and which of its pixels were in the picture before."""
    side = len(grey)
    half = (side - 1) / 2
    x = half * (across + 1.0) + motion[0] + motion[1] * across + motion[2] * down
    y = half * (down + 1.0) + motion[3] + motion[4] * across + motion[5] * down
    inner = (x >= 0.0) & (x <= side - 1) & (y >= 0.0) & (y <= side - 1)
    return cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), inner
