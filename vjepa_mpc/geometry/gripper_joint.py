"""Gripper closedness (0 open … 1 closed) and the finger joint's position that it is measured and commanded by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa_mpc.options import option

OPEN = 0.0
CLOSED = 1.0


@dataclass(frozen=True, kw_only=True)
class GripperJoint:
    """The linear map between a finger joint's position (any unit) and closedness.

    Raises:
        ValueError: the positions are equal or not finite.
    """

    open_position: float = option(
        0.04, "Position of the finger joint when open, as it is read and commanded.", low=-1e3, high=1e3, name="open"
    )
    closed_position: float = option(
        0.0, "Position of the finger joint when closed, as it is read and commanded.", low=-1e3, high=1e3, name="closed"
    )

    def __post_init__(self) -> None:
        ends = (self.open_position, self.closed_position)
        if not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
            raise ValueError(
                f"gripper joint positions open={ends[0]}, closed={ends[1]}: give two different finite positions"
            )

    def closedness(self, position: float) -> float:
        """Joint position -> closedness, clipped to 0 … 1 (NaN stays NaN)."""
        value = (position - self.open_position) / (self.closed_position - self.open_position)
        return value if math.isnan(value) else min(max(value, OPEN), CLOSED)

    def position(self, closedness: float) -> float:
        """Closedness -> joint position."""
        return self.open_position + closedness * (self.closed_position - self.open_position)
