"""A sub-goal ends after a number of steps, as in V-JEPA 2 (arXiv 2506.09985, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.options import option


@dataclass(frozen=True, kw_only=True)
class Budget(Ending):
    """The actions are used up.

    Attributes:
        steps: the most actions that may be taken.
    """

    steps: int = option(
        10, "Step budget of a sub-goal for which the request names none.", low=1, high=1_000_000, live=True
    )

    def over(self, history: History) -> str:
        """Whether as many actions were taken."""
        return f"its {self.steps} steps were used up" if history.steps >= self.steps else ""

    @property
    def most_steps(self) -> int:
        """The budget."""
        return self.steps
