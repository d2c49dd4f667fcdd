"""A sub-goal ends when the energy has stopped falling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.options import option


@dataclass(frozen=True, kw_only=True)
class Plateau(Ending):
    """A line through the newest energies is nearly level.

    Attributes:
        plateau_window: how many of the newest energies the line is fitted to (least squares), at least 2; 0 for never.
        plateau_slope: the sub-goal ends when the line falls by less than this fraction of its first energy a step.

    Raises:
        ValueError: a window of 1, or an option is out of range.
    """

    plateau_window: int = option(
        0,
        "A sub-goal ends when so many of its newest energies have levelled off, 2 or more; 0: never.",
        low=0,
        high=1000,
        live=True,
    )
    plateau_slope: float = option(
        0.02,
        "Energies have levelled off when they fall by less than this fraction of the sub-goal's first energy a step.",
        low=0.0,
        high=1.0,
        live=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plateau_window == 1:
            raise ValueError("plateau_window=1: a slope needs at least 2 energies; use 2 or more, or 0 for never")

    @property
    def on(self) -> bool:
        """Whether there is a window."""
        return self.plateau_window > 0

    def over(self, history: History) -> str:
        """Whether the newest energies have levelled off."""
        energies, window = history.energies, self.plateau_window
        if not window or len(energies) < window:
            return ""
        newest = np.asarray(energies[-window:], dtype=np.float64)
        steps = np.arange(window) - (window - 1) / 2
        fall = -float(steps @ newest / (steps @ steps))
        if fall >= self.plateau_slope * energies[0]:
            return ""
        return f"the energy stopped falling at {newest[-1]:.4f}"
