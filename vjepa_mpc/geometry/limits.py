"""Where the end effector may be and how fast it may move."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.options import check_options, option


@dataclass(frozen=True, kw_only=True)
class WorkspaceBox:
    """The positions that the end effector may take: an axis-aligned box in the robot base frame, in metres.

    There is no default: a box that fits every cell would protect none.

    Raises:
        ValueError: a corner is not three finite numbers, or a lower bound is not below its upper bound.
    """

    lower: tuple[float, float, float] = option(
        text="Lower corner [x, y, z] of the box that the end effector may be in, robot base frame; has to be given.",
        unit="m",
    )
    upper: tuple[float, float, float] = option(
        text="Upper corner [x, y, z] of the box that the end effector may be in, robot base frame; has to be given.",
        unit="m",
    )

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            corner = tuple(float(value) for value in getattr(self, name))
            if len(corner) != 3 or not all(map(math.isfinite, corner)):
                raise ValueError(f"workspace {name}={corner}: give three finite numbers [x, y, z] in metres")
            object.__setattr__(self, name, corner)
        for axis, low, high in zip("xyz", self.lower, self.upper, strict=True):
            if low >= high:
                raise ValueError(f"workspace {axis}: lower {low} is not below upper {high}; swap or widen them")

    def contains(self, position: np.ndarray, margin: float = 0.0) -> bool:
        """Whether a position [3] lies in the box widened by `margin` metres; False for NaN."""
        return bool(self.distance(position) <= margin)

    def clip(self, position: np.ndarray) -> np.ndarray:
        """The nearest position [3] inside the box."""
        return np.clip(np.asarray(position, dtype=np.float64), self.lower, self.upper)

    def distance(self, position: np.ndarray) -> float:
        """Metres from a position [3] to the box: 0 inside, the largest overshoot of an axis outside, NaN for NaN."""
        point = np.asarray(position, dtype=np.float64)
        return float(np.max(np.maximum(np.subtract(self.lower, point), np.subtract(point, self.upper)).clip(min=0.0)))


@dataclass(frozen=True, kw_only=True)
class MotionLimits:
    """Bounds on set-points and steps. The defaults are a tenth of what an FR3 can do.

    Raises:
        ValueError: a limit is out of its range.
    """

    linear_speed: float = option(0.2, "Top speed of the set-points.", unit="m/s", low=0.001, high=3.0)
    angular_speed: float = option(0.5, "Top rotation speed of the set-points.", unit="rad/s", low=0.001, high=2.5)
    linear_acceleration: float = option(2.0, "Top acceleration of the set-points.", unit="m/s²", low=0.01, high=13.0)
    angular_acceleration: float = option(
        5.0, "Top rotational acceleration of the set-points.", unit="rad/s²", low=0.01, high=25.0
    )
    max_step: float = option(
        0.075,
        "Longest planned step along one axis, and farthest that a set-point may be from the measured position.",
        unit="m",
        low=0.001,
        high=0.5,
    )
    max_rotation_step: float = option(
        0.5,
        "Largest planned rotation in one step, and farthest that a set-point may be turned from the measured rotation.",
        unit="rad",
        low=0.001,
        high=3.14,
    )

    def __post_init__(self) -> None:
        check_options(self)
