"""What can be done on the page. Whoever feeds the page carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from vjepa_mpc.goals.folder import PictureGoal

Answer = Callable[[bool, str], None]
"""Gets whether it was done, and words; on any thread."""


class Commands(Protocol):
    """All of them return at once, and may be called on any thread."""

    def hold(self, answer: Answer) -> None:
        """Forbid motion, whatever the planner does now, until `release`."""

    def release(self, answer: Answer) -> None:
        """Forbid motion no more."""

    def pause(self, answer: Answer) -> None:
        """Stop where the arm is; the goal stays."""

    def resume(self, answer: Answer) -> None:
        """Go on after a pause or a fault."""

    def clear(self, answer: Answer) -> None:
        """Have no goal."""

    def start(self, goals: Sequence[PictureGoal], answer: Answer) -> None:
        """Pursue these sub-goals."""

    def look(self, taken: Callable[[bytes], None], answer: Answer) -> None:
        """Take the camera's newest picture as PNG bytes; ``answer`` is called only when there is none."""

    def landscape(self, shown: Callable[[np.ndarray], None], answer: Answer) -> None:
        """Draw the energy around the newest plan; ``shown`` gets the picture, uint8 RGB [H, W, 3], on any thread."""

    def tune(self, name: str, value: bool | int | float | str, answer: Answer) -> None:
        """Change a parameter."""
