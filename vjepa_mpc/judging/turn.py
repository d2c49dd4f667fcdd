"""The rotation that best explains the plans' errors: a camera that stands elsewhere than in training turns actions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.calibration.fit import RotationFit, fit_rotation
from vjepa_mpc.evaluation.statistics import bootstrap_interval
from vjepa_mpc.judging.recovery import Recovered

_PARTS = 5  # moves are turned by what the other four fifths of them say


@dataclass(frozen=True, kw_only=True, eq=False)
class Turn:
    """Rotations from the planned actions' axes to the robot's.

    Attributes:
        vertical: degrees about the base's z axis, by which the plans have to be turned.
        vertical_interval: 95 % interval of it.
        fit: the rotation about any axis.
        left: median share of the way that is left after a plan, as it is.
        left_vertical: the same after turning about the vertical, by what the other moves say.
        left_turned: the same after turning about any axis, by what the other moves say.
    """

    vertical: float
    vertical_interval: tuple[float, float]
    fit: RotationFit
    left: float
    left_vertical: float
    left_turned: float


def find_turn(moves: Sequence[Recovered]) -> Turn | None:
    """The turn of the plans of these moves; None where they are too few or all along one line."""
    planned, made = (np.array([getattr(each, name)[:3] for each in moves]) for name in ("planned", "made"))
    try:
        fit = fit_rotation(planned, made)
        by_any = _turned_by_others(planned, made, lambda *pairs: fit_rotation(*pairs).matrix)
    except ValueError:
        return None
    by_vertical = _turned_by_others(planned, made, lambda *pairs: about_vertical(vertical_turn(*pairs)))
    interval = bootstrap_interval(
        np.stack([planned, made], axis=1), lambda pairs: vertical_turn(pairs[:, 0], pairs[:, 1])
    )
    return Turn(
        vertical=math.degrees(vertical_turn(planned, made)),
        vertical_interval=(math.degrees(interval[0]), math.degrees(interval[1])),
        fit=fit,
        left=_left(planned, made),
        left_vertical=_left(by_vertical, made),
        left_turned=_left(by_any, made),
    )


def vertical_turn(planned: np.ndarray, made: np.ndarray) -> float:
    """Radians about the vertical that turn planned translations [n, 3] nearest to those that were made."""
    across = planned[:, 0] * made[:, 1] - planned[:, 1] * made[:, 0]
    along = planned[:, 0] * made[:, 0] + planned[:, 1] * made[:, 1]
    return math.atan2(float(across.sum()), float(along.sum()))


def about_vertical(angle: float) -> np.ndarray:
    """Rotation matrix [3, 3] about z, radians."""
    return np.asarray(Rotation.from_euler("z", angle).as_matrix())


def _turned_by_others(
    planned: np.ndarray, made: np.ndarray, fit: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Planned translations [n, 3], each turned by a rotation that was fitted without it."""
    part = np.arange(len(made)) % _PARTS
    turned = np.empty_like(planned)
    for each in range(_PARTS):
        turned[part == each] = planned[part == each] @ fit(planned[part != each], made[part != each]).T
    return turned


def _left(planned: np.ndarray, made: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(made - planned, axis=1) / np.linalg.norm(made, axis=1)))
