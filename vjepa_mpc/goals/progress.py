"""The way through a sequence of sub-goals, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.goals.sub_goal import SubGoal


@dataclass(frozen=True, kw_only=True)
class EndedSubGoal:
    """How one sub-goal went.

    Attributes:
        index: of the sub-goal, from 0.
        by: name of the ending, such as BUDGET.
        why: the ending's words.
        steps: actions taken for it.
        energy: at its end.
    """

    index: int
    by: str
    why: str
    steps: int
    energy: float


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a sequence of sub-goals has been followed. Never changes: what happens leads to another value.

    Before each action, follow `seen` with the newest image's energy until it ends no sub-goal. After the action, follow
    `acted`.

    Attributes:
        goals: all sub-goals, at least one.
        ended: those that have ended, in order.
        energies: to the current sub-goal, one before each of its actions; and, since `seen`, the newest one.
        steps: actions taken for the current sub-goal.

    Raises:
        ValueError: there is no sub-goal.
    """

    goals: tuple[SubGoal, ...]
    ended: tuple[EndedSubGoal, ...] = ()
    energies: tuple[float, ...] = ()
    steps: int = 0

    def __post_init__(self) -> None:
        if not self.goals:
            raise ValueError("the goal has no images: give at least one")

    @property
    def index(self) -> int:
        """Index of the current sub-goal; the number of sub-goals when all have ended."""
        return len(self.ended)

    @property
    def finished(self) -> bool:
        """Whether all sub-goals have ended."""
        return self.index == len(self.goals)

    @property
    def current(self) -> SubGoal | None:
        """The sub-goal to move to; None when all have ended."""
        return None if self.finished else self.goals[self.index]

    def seen(self, energy: float) -> Progress:
        """After an image with this energy to the current sub-goal, which may end by it.

        Raises:
            ValueError: the energy is not finite: the model or the image is broken.
            RuntimeError: all sub-goals have ended.
        """
        if not math.isfinite(energy):
            raise ValueError(f"energy={energy}: the world model returned no number; check checkpoint and dtype")
        goal = self.current
        if goal is None:
            raise RuntimeError("all sub-goals have ended: set a new goal")
        # Planned again without acting: only the newest energy of a step counts.
        energies = (*self.energies[: self.steps], energy)
        history = History(energies=energies, steps=self.steps)
        for ending in sorted(goal.endings, key=_counts_steps):
            if why := ending.over(history):
                end = EndedSubGoal(index=self.index, by=ending.name, why=why, steps=self.steps, energy=energy)
                return Progress(self.goals, (*self.ended, end))
        return replace(self, energies=energies)

    def acted(self) -> Progress:
        """After an action for the current sub-goal."""
        return replace(self, steps=self.steps + 1)


def _counts_steps(ending: Ending) -> bool:
    """Sorts endings that only count behind those that look: what is seen tells more about how it went."""
    return ending.most_steps is not None
