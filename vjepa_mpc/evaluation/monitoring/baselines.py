"""What simpler monitors notice: how far a moment is from the nearest one of normal runs, with nothing aligned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.features import fit_projection
from vjepa_mpc.monitor.sight import Sights
from vjepa_mpc.monitor.thresholds import conformal

_LOOKS_BACK = (0, 2, 5)  # pictures, of the arm's states: tells its speed, too
_AROUND = 3  # pictures before and after, of the pixel difference
_COARSE = 16  # pixels along a side of the compared pictures
_FOR_THRESHOLDS = 3  # every third run


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A simpler monitor.

    Attributes:
        name: in words.
        score: the largest score in a run; higher is worse.
        limit: above which it alarms.
    """

    name: str
    score: Callable[[Sights], float]
    limit: float


def fit_baselines(runs: Sequence[Sights], rate: float) -> list[Baseline]:
    """Fit all of them to normal runs; thresholds come from a third of these, for the same rate of false alarms."""
    bank = [run for index, run in enumerate(runs) if index % _FOR_THRESHOLDS]
    kept = [run for index, run in enumerate(runs) if index % _FOR_THRESHOLDS == 0]
    rate = max(rate, 1.0 / (len(kept) + 1))  # what so few runs can promise
    makers = {
        "proprioception only": _nearest(bank, _states),
        "observed latents only": _nearest(bank, _latents(bank)),
        "pixel difference": _pixels(bank),
    }
    return [
        Baseline(
            name=name,
            score=score,
            limit=float(conformal(np.array([[score(run)] for run in kept]), rate, np.zeros(1)).values[0]),
        )
        for name, score in makers.items()
    ]


def _nearest(bank: Sequence[Sights], features: Callable[[Sights], np.ndarray]) -> Callable[[Sights], float]:
    """The largest distance of a picture's features to the nearest ones in the bank."""
    known = np.concatenate([features(run) for run in bank])
    scale = known.std(axis=0) + 1e-6
    known = known / scale
    lengths = (known**2).sum(axis=1)

    def score(run: Sights) -> float:
        now = features(run) / scale
        squares = (now**2).sum(axis=1)[:, None] - 2 * now @ known.T + lengths
        return float(np.sqrt(np.maximum(squares.min(axis=1), 0.0)).max())

    return score


def _states(run: Sights) -> np.ndarray:
    assert run.states is not None
    told = run.states[:, [0, 1, 2, 6]]
    back = [told[np.maximum(np.arange(len(told)) - lag, 0)] for lag in _LOOKS_BACK]
    return np.concatenate(back, axis=1)


def _latents(bank: Sequence[Sights]) -> Callable[[Sights], np.ndarray]:
    projection = fit_projection(bank, np.random.default_rng(0))
    return lambda run: projection.pictures(run, states=False)


def _pixels(bank: Sequence[Sights]) -> Callable[[Sights], float]:
    """The largest mean difference of a picture to the nearest one of about the same time."""
    known = [_coarse(run) for run in bank]

    def score(run: Sights) -> float:
        now = _coarse(run)
        worst = 0.0
        for index, picture in enumerate(now):
            near = [each[max(0, index - _AROUND) : index + _AROUND + 1] for each in known]
            around = np.concatenate([part for part in near if len(part)] or [each[-1:] for each in known])
            worst = max(worst, float(np.abs(around - picture).mean(axis=1).min()))
        return worst

    return score


def _coarse(run: Sights) -> np.ndarray:
    """Pictures [T, 768] of 16 x 16 pixels."""
    count, side = run.small.shape[:2]
    part = side // _COARSE
    return run.small.reshape(count, _COARSE, part, _COARSE, part, 3).mean(axis=(2, 4)).reshape(count, -1)
