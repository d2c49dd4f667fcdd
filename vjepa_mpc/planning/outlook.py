"""What a plan promises: how much better than doing nothing it is, beside how much its candidates differ.

Nothing here depends on the scale of a world model's energies: all that is judged are ratios of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_AT_GOAL = 1.0  # contrast: any action makes the energy at least twice what it is
_SERIOUS = 0.1  # gain; where a plan gains less, the arm is at its goal or nearly so


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Predicted energies that tell whether a plan means something. All are of one model, from one picture.

    Attributes:
        still: after doing nothing, but for coordinates that are given.
        expected: after the plan's actions.
        drawn: mean over the candidates of the first iteration: after doing anything.
    """

    still: float
    expected: float
    drawn: float

    @property
    def promise(self) -> float:
        """By how much the plan's actions lower the energy, compared with doing nothing; negative if they raise it."""
        return self.still - self.expected

    @property
    def spread(self) -> float:
        """How much it matters what is done: from what any action, or none, leads to down to the best that is known."""
        return max(self.drawn, self.still) - min(self.still, self.expected)

    @property
    def contrast(self) -> float:
        """The spread beside the energy that there is to lose: about 0 where all actions are as good as none.

        At a goal the energy of doing nothing is small beside that of any action, and this is well above 1.
        """
        return self.spread / self.still if self.still > 0.0 else math.inf

    @property
    def arrived(self) -> bool:
        """Whether this is how it looks at a goal: it matters what is done, and nothing is better than doing nothing."""
        return self.contrast >= _AT_GOAL and not self.serious

    @property
    def serious(self) -> bool:
        """Whether the plan promises more than nearly nothing."""
        return self.gain >= _SERIOUS

    @property
    def gain(self) -> float:
        """The promise as a share of the spread: about 0 where nothing is better than doing nothing, as at a goal."""
        return self.promise / self.spread if self.spread > 0.0 else 0.0
