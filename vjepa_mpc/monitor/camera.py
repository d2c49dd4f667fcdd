"""Has the camera moved? Registers a picture with the still background of the fitted runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_BLUR = 1.0  # pixels
_ROUNDS = 6
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
        side = len(grey)
        across, down = np.meshgrid(*[np.linspace(-1.0, 1.0, side, dtype=np.float32)] * 2)
        motion = np.zeros(6)
        for _ in range(_ROUNDS):
            now = _moved(grey, motion)
            inner = _moved(np.ones_like(grey), motion) > 0.99
            dy, dx = np.gradient(now)
            residual = now - self.grey
            weight = self.weight * inner
            offset = _weighted_median(residual, weight)
            residual = residual - offset
            scale = max(_weighted_median(np.abs(residual), weight), 1.0)
            weight = weight / (1.0 + (residual / (2.5 * scale)) ** 2) ** 2
            columns = np.stack([dx, dx * across, dx * down, dy, dy * across, dy * down, now, np.ones_like(now)])
            columns = columns.reshape(8, -1).astype(np.float64)
            weighted = columns * weight.ravel()
            normal = weighted @ columns.T + np.diag([50.0, 50, 50, 50, 50, 50, 1e3, 1e-3])
            step = np.linalg.solve(normal, -weighted @ (residual + offset).ravel())
            motion = np.clip(motion + step[:6], -side / 6, side / 6)
        shift_x = motion[0] + motion[1] * across + motion[2] * down
        shift_y = motion[3] + motion[4] * across + motion[5] * down
        return float(np.sqrt(shift_x**2 + shift_y**2).mean())


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


def _moved(grey: np.ndarray, motion: np.ndarray) -> np.ndarray:
    side = len(grey)
    across, down = np.meshgrid(*[np.linspace(-1.0, 1.0, side, dtype=np.float32)] * 2)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    x = columns + motion[0] + motion[1] * across + motion[2] * down
    y = rows + motion[3] + motion[4] * across + motion[5] * down
    return cv2.remap(grey, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0.0)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.median(values[weights > 0.3])) if (weights > 0.3).any() else 0.0
