"""Crop, colour order, seconds a step and gripper direction tried both ways, and which one the model prefers.

The measure is the error of a prediction beside that of copying the frame, because latents of other pictures have other
sizes. All ways are tried on the same frames, and compared frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch

from vjepa_mpc.evaluation.statistics import bootstrap_interval
from vjepa_mpc.judging.prediction import latent_error, roll_out
from vjepa_mpc.judging.stretches import TOGGLE, Stretch, actions_between
from vjepa_mpc.worldmodel import Crop, WorldModel

CLEARLY = 0.05
"""The other way has to lower the error by this share, beyond what chance explains, to be called preferred: a wrong
colour order or gripper direction costs more, and noise between frames less."""

LEAST_STRETCHES = 5
"""Fewer say nothing about a preference."""

AS_GIVEN, THE_OTHER, NO_DIFFERENCE = "as given", "the other", "no difference"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One stretch tried in several ways: the error beside that of copying the frame, by the way's name."""

    ratios: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Which way of a convention the model prefers.

    Attributes:
        convention: crop, colours, seconds a step, or gripper.
        other: the way that was tried beside the given one.
        given_error: mean error beside that of copying the frame, as given.
        other_error: the same the other way.
        change: share by which the other way changes the error; negative is better.
        interval: 95 % of it.
        count: stretches.
        verdict: "as given", "the other", "no difference", or why it cannot be told.
    """

    convention: str
    other: str
    given_error: float | None
    other_error: float | None
    change: float | None
    interval: tuple[float, float] | None
    count: int
    verdict: str

    @property
    def contrary(self) -> bool:
        """Whether the model prefers the other way."""
        return self.verdict == THE_OTHER


@torch.no_grad()
def try_ways(world_model: WorldModel, stretch: Stretch, crop: Crop) -> Tried:
    """Predict the last frame of a stretch of one or two steps from its first one, in all ways.

    Raises:
        DataError: its pictures cannot be read.
    """
    images = stretch.images([0, stretch.steps])
    ratios = {AS_GIVEN: _ratio(world_model, images, stretch.states, crop)}
    other_crop = next(each for each in get_args(Crop) if each != crop)
    if images.shape[1] != images.shape[2]:  # a square picture is the same in all crops
        ratios[f"crop {other_crop}"] = _ratio(world_model, images, stretch.states, other_crop)
    ratios["colours"] = _ratio(world_model, np.ascontiguousarray(images[..., ::-1]), stretch.states, crop)
    for name, states in _paces(stretch):
        ratios[name] = _ratio(world_model, images, states, crop)
    if abs(stretch.done[6]) >= TOGGLE:
        ratios["gripper"] = _ratio(world_model, images, _inverted(stretch.states), crop)
    return Tried(ratios={name: ratio for name, ratio in ratios.items() if np.isfinite(ratio)})


def _paces(stretch: Stretch) -> Iterator[tuple[str, np.ndarray]]:
    """The same stretch in steps of half the time, and of twice it."""
    times = np.linspace(stretch.stamps[0], stretch.stamps[-1], 2 * stretch.steps + 1)
    yield f"{stretch.walk.seconds / 2:g} s a step", stretch.walk.episode.states(times)
    if stretch.steps % 2 == 0:
        yield f"{stretch.walk.seconds * 2:g} s a step", stretch.states[::2]


def _inverted(states: np.ndarray) -> np.ndarray:
    other = states.copy()
    other[:, 6] = 1.0 - other[:, 6]
    return other


def _ratio(world_model: WorldModel, images: np.ndarray, states: np.ndarray, crop: Crop) -> float:
    seen, after = world_model.encode(images, crop=crop)
    predicted = roll_out(world_model, seen, states[0], actions_between(states)[None])[-1]
    copied = float(latent_error(seen[None], after)[0])
    return float(latent_error(predicted, after)[0]) / copied if copied > 0.0 else float("nan")


def preferences(tried: list[Tried], seconds: float, crop: Crop) -> list[Preference]:
    """What the stretches say together."""
    other_crop = next(each for each in get_args(Crop) if each != crop)
    ways = [
        ("crop", f"crop {other_crop}", other_crop, "the pictures are square: all crops are the same"),
        ("colours", "colours", "red and blue swapped", "too few stretches"),
        ("seconds a step", f"{seconds / 2:g} s a step", f"{seconds / 2:g} s", "too few stretches"),
        ("seconds a step", f"{seconds * 2:g} s a step", f"{seconds * 2:g} s", "too few stretches"),
        ("gripper", "gripper", "1 open, 0 closed", "the gripper opens or closes in too few stretches"),
    ]
    return [_preference(convention, tried, key, shown, lacking) for convention, key, shown, lacking in ways]


def _preference(convention: str, tried: list[Tried], key: str, shown: str, lacking: str) -> Preference:
    pairs = np.array(
        [(each.ratios[AS_GIVEN], each.ratios[key]) for each in tried if {AS_GIVEN, key} <= each.ratios.keys()]
    )
    if len(pairs) < LEAST_STRETCHES:
        few = lacking if not len(pairs) else f"{len(pairs)} stretch(es) are too few"
        return Preference(
            convention=convention,
            other=shown,
            given_error=None,
            other_error=None,
            change=None,
            interval=None,
            count=len(pairs),
            verdict=f"cannot be told: {few}",
        )
    low, high = bootstrap_interval(pairs, _change)
    return Preference(
        convention=convention,
        other=shown,
        given_error=float(pairs[:, 0].mean()),
        other_error=float(pairs[:, 1].mean()),
        change=_change(pairs),
        interval=(low, high),
        count=len(pairs),
        verdict=_said(low, high, pairs),
    )


def _change(pairs: np.ndarray) -> float:
    """Share by which the mean error changes."""
    given, other = pairs.mean(axis=0)
    return float((other - given) / max(given, 1e-9))  # an exact model makes no error


def _said(low: float, high: float, pairs: np.ndarray) -> str:
    change = _change(pairs)
    # What predicts worse than copying the frame errs less the fewer steps it takes; that is no preference.
    if high < 0.0 and change <= -CLEARLY and pairs[:, 1].mean() < 1.0:
        return THE_OTHER
    if low > 0.0 and change >= CLEARLY:
        return AS_GIVEN
    return NO_DIFFERENCE
