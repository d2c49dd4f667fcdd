"""Where the end effector may be and how fast it may move."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, kw_only=True)
class WorkspaceBox:
    """The positions that the end effector may take: an axis-aligned box in the robot base frame, in metres.

    There is no default: a box that fits every cell would protect none.

    Raises:
        ValueError: a corner is not three finite numbers, or a lower bound is not below its upper bound.
    """

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

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

    Attributes:
        linear_speed: m/s.
        angular_speed: rad/s.
        linear_acceleration: m/s².
        angular_acceleration: rad/s².
        max_step: metres that a planned action may go along one axis, and that a set-point may lead the measured pose
            (straight-line distance).
        max_rotation_step: radians, the same for orientation.

    Raises:
        ValueError: a limit is not a positive finite number.
    """

    linear_speed: float = 0.2
    angular_speed: float = 0.5
    linear_acceleration: float = 2.0
    angular_acceleration: float = 5.0
    max_step: float = 0.075
    max_rotation_step: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{field.name}={value}: a motion limit is a positive finite number")
