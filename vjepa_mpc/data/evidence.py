"""What findings are made from: a few measurements of each episode, for which its pictures are read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.data.episode import Episode

# Pictures looked at, from the first one on: some 30 s, which is enough to compare motions.
MOST_PICTURES = 450
_BATCH = 64
_BACKGROUND_PICTURES = 60
_SIZE = (128, 96)
# Changes of brightness below this, of 255, are noise and compression.
_NOISE = 3.0
# How far a point 10 cm from the tool's centre moves when the tool turns, and fingers when the gripper closes.
_LEVER, _STROKE = 0.1, 0.04
LAGS = np.arange(-0.5, 0.505, 0.01)
"""Delays of the pictures that are tried, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Measurements of an episode.

    Attributes:
        episode: itself.
        size: width and height of its pictures.
        background: float32 [96, 128], the usual brightness of each pixel.
        still: bool [96, 128], where the brightness does not change.
        warmth: mean of red minus blue, 0 to 255, over all pixels; and over the colourful ones.
        colourful: share of colourful pixels.
        late: float64 [len(LAGS)], correlation of motion in the pictures with the arm's motion for each of the delays;
            zeros when too little moves.
    """

    episode: Episode
    size: tuple[int, int]
    background: np.ndarray
    still: np.ndarray
    warmth: tuple[float, float]
    colourful: float
    late: np.ndarray


def gather(episode: Episode) -> Evidence:
    """The measurements of an episode.

    Raises:
        DataError: its pictures cannot be read.
    """
    stamps = episode.stamps[:MOST_PICTURES]
    every = max(1, len(stamps) // _BACKGROUND_PICTURES)
    changes, kept, colours = [np.zeros(0)], [], []
    size, last, count = (0, 0), None, 0
    for pictures in _batches(episode, stamps):
        size = (pictures.shape[2], pictures.shape[1])
        small = np.stack([cv2.resize(picture, _SIZE, interpolation=cv2.INTER_AREA) for picture in pictures])
        grey = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in small]).astype(np.float32)
        joined = grey if last is None else np.concatenate([last[None], grey])
        changes.append(np.maximum(np.abs(np.diff(joined, axis=0)) - _NOISE, 0.0).mean((1, 2)))
        kept += [picture for index, picture in enumerate(grey, count) if index % every == 0]
        colours.append(_colours(small[:: max(1, len(small) // 4)]))
        last, count = grey[-1], count + len(grey)
    background, still = _background(kept)
    warmth, warm_colours, colourful = np.mean(colours, axis=0)
    return Evidence(
        episode=episode,
        size=size,
        background=background,
        still=still,
        warmth=(float(warmth), float(warm_colours)),
        colourful=float(colourful),
        late=_late(episode, stamps, np.concatenate(changes)),
    )


def delay(late: np.ndarray) -> float | None:
    """The delay of the pictures in seconds by summed correlations, see ``Evidence.late``; None: it cannot be told."""
    best = int(np.argmax(late))
    distinct = late[best] - np.median(late)
    if late[best] < 0.4 or distinct < 0.15 or best in (0, len(late) - 1):
        return None
    left, top, right = late[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(LAGS[best] + (0.005 * (left - right) / bend if bend < 0 else 0.0))


def _batches(episode: Episode, stamps: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(stamps), _BATCH):
        yield episode.images(stamps[start : start + _BATCH])


def _colours(pictures: np.ndarray) -> tuple[float, float, float]:
    """Red minus blue over all pixels and over colourful ones, and the share of those."""
    values = pictures.reshape(-1, 3).astype(np.float32)
    brightest, darkest = values.max(axis=1), values.min(axis=1)
    colourful = (brightest - darkest > 0.35 * brightest) & (brightest > 60)
    warmth = values[:, 0] - values[:, 2]
    return float(warmth.mean()), float(warmth[colourful].mean()) if colourful.any() else 0.0, float(colourful.mean())


def _background(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    smooth: Any = np.stack([cv2.GaussianBlur(picture, (0, 0), 1.0) for picture in pictures])
    usual = np.asarray(np.median(smooth, axis=0))
    spread = np.asarray(np.quantile(np.abs(smooth - usual), 0.9, axis=0))
    still = cv2.erode((spread < 8.0).astype(np.uint8), np.ones((3, 3), np.uint8))
    return usual.astype(np.float32), still.astype(bool)


def _late(episode: Episode, stamps: np.ndarray, changes: np.ndarray) -> np.ndarray:
    first, last = episode.poses.stamps[0], episode.poses.stamps[-1]
    times, path = _path(episode, max(first, stamps[0] + LAGS[0]), min(last, stamps[-1] + LAGS[-1]))
    found = np.zeros(len(LAGS))
    for index, lag in enumerate(LAGS):
        shown = stamps - lag
        inside = (shown[:-1] >= first) & (shown[1:] <= last)
        if inside.sum() < max(8, 0.5 * len(changes)):
            continue
        pictures, arm = np.sqrt(changes[inside]), np.sqrt(np.diff(np.interp(shown, times, path))[inside])
        if pictures.std() > 1e-6 and arm.std() > 1e-6:
            found[index] = np.corrcoef(pictures, arm)[0, 1]
    return found


def _path(episode: Episode, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Times, and how far the tool has moved until then, in metres; turns and the gripper count, too.

    In steps of a quarter of the time between two pictures: finer ones would add up the noise of fast sensors.
    """
    step = float(np.median(np.diff(episode.stamps))) / 4
    times = np.linspace(first, last, min(max(2, round((last - first) / max(step, 1e-3))), 20 * MOST_PICTURES))
    states = episode.states(times)
    turns = Rotation.from_euler("xyz", states[:, 3:6])
    moved = np.linalg.norm(np.diff(states[:, :3], axis=0), axis=1)
    moved += _LEVER * (turns[:-1].inv() * turns[1:]).magnitude() + _STROKE * np.abs(np.diff(states[:, 6]))
    return times, np.append(0.0, np.cumsum(moved))
