"""Runs of an imaginary work for the monitor: a bright square goes around; the latents are the colours of patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch

from vjepa_mpc.monitor.fit import FitSettings, Fitted, fit
from vjepa_mpc.monitor.sight import Eye, Sights

SIDE, PATCH = 8, 8
SIZE = SIDE * PATCH  # pixels
RATE = 5.0
ENCODER = (64.0, 12.0)  # its fingerprint
WAY = np.array([(8, 8), (40, 8), (40, 40), (8, 40), (24, 24)], float)  # left, top of the square in pixels
LEG_SECONDS = 3.0
GRIPPER = (0.0, 1.0, 0.0, 1.0, 0.0)  # on each leg


class ColourEncoder:
    """Latents that are the mean colours of the quarters of a patch, and nothing else: 12 features."""

    tokens_per_frame, embed_dim = SIDE * SIDE, 12
    device, dtype = torch.device("cpu"), torch.float32

    def encode(self, images: np.ndarray, crop: str = "square") -> torch.Tensor:
        sized = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image in images]
        pixels = np.asarray(sized, np.float32) / 64.0
        count = len(pixels)
        quarters = pixels.reshape(count, SIDE, 2, PATCH // 2, SIDE, 2, PATCH // 2, 3).mean(axis=(3, 6))
        return torch.from_numpy(quarters.transpose(0, 1, 3, 2, 4, 5).reshape(count, SIDE * SIDE, 12).copy())


Change = Callable[[np.ndarray, float], np.ndarray]


def pictures(
    seed: int,
    *,
    legs: Sequence[int] = (0, 1, 2, 3),
    pace: float = 1.0,
    change: Change | None = None,
    stop: tuple[float, float] | None = None,
    rate: float = RATE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One run: uint8 RGB [T, S, S, 3], stamps [T] in seconds, states [T, 7].

    Args:
        seed: of its pace, its places and the noise.
        legs: of the way, in their order.
        pace: times as fast as usual.
        change: of a picture uint8 [S, S, 3] at a moment in seconds.
        stop: (from when on, for how long) it stands still, in seconds.
        rate: pictures a second.
    """
    rng = np.random.default_rng(seed)
    pace = pace * float(np.exp(rng.normal(0.0, 0.05)))
    way = WAY + rng.normal(0.0, 0.5, WAY.shape)
    ground = np.random.default_rng(0).uniform(60, 120, (SIZE // 4, SIZE // 4, 3)).repeat(4, 0).repeat(4, 1)
    images, told = [], []
    seconds = len(legs) * LEG_SECONDS / pace
    extra = stop[1] if stop else 0.0
    for now in np.arange(0.0, seconds + extra, 1 / rate):
        done = now if stop is None else min(now, stop[0]) + max(0.0, now - stop[0] - stop[1])
        leg, share = divmod(done * pace / LEG_SECONDS, 1.0)
        number = legs[min(int(leg), len(legs) - 1)]
        left, top = way[number] + share * (way[number + 1] - way[number])
        picture = ground.copy()
        picture[round(top) : round(top) + 16, round(left) : round(left) + 16] = (230, 200 - 40 * number, 40 * number)
        picture = np.clip(picture + rng.normal(0.0, 2.0, picture.shape), 0, 255).astype(np.uint8)
        images.append(picture if change is None else change(picture, float(now)))
        told.append([left / 100, top / 100, 0.0, 0.0, 0.0, 0.0, GRIPPER[number]])
    return np.stack(images), np.arange(len(images)) / rate, np.array(told)


def run(seed: int, *, states: bool = True, **how: Any) -> Sights:
    """What an eye sees of one run of :func:`pictures`; ``states``: whether the position and the gripper are told."""
    images, stamps, told = pictures(seed, **how)
    return Eye(ColourEncoder()).look(images, stamps, told if states else None)  # type: ignore[arg-type]


@cache
def fitted_monitor(*, states: bool = True) -> Fitted:
    """A monitor that has seen twenty normal runs."""
    runs = [run(seed, states=states) for seed in range(20)]
    steps = () if states else (("fetch", 6.0), ("place", 12.0))  # the camera alone does not show them
    return fit(runs, [f"run {seed}" for seed in range(20)], ENCODER, FitSettings(states=states, steps=steps))
