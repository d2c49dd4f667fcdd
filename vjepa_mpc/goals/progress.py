"""The way through a sequence of sub-goals, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.goals.sub_goal import SubGoal

_FELL = 0.95  # of the first energy; one that is not lower at the end than this did not fall


class Outcome(Enum):
    """What became of a sub-goal."""

    REACHED = "it was reached"
    NEARER = "it ended before it was reached; the energy fell"
    NO_NEARER = "it ended, and the energy did not fall"


@dataclass(frozen=True, kw_only=True)
class EndedSubGoal:
    """How one sub-goal went.

    Attributes:
        index: of the sub-goal, from 0.
        by: name of the ending, such as BUDGET.
        why: the ending's words.
        steps: actions taken for it.
        first_energy: before its first action.
        energy: at its end.
        reached: whether its ending says so, or the newest plan did.
    """

    index: int
    by: str
    why: str
    steps: int
    first_energy: float
    energy: float
    reached: bool

    @property
    def share(self) -> float:
        """What is left of the first energy: 0 at best, 1 where nothing came of it."""
        return self.energy / self.first_energy if self.first_energy > 0.0 else 1.0

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.reached:
            return Outcome.REACHED
        return Outcome.NEARER if self.share < _FELL else Outcome.NO_NEARER

    def __str__(self) -> str:
        how = {
            Outcome.REACHED: "reached",
            Outcome.NEARER: f"the energy is down to {100 * self.share:.0f} %",
            Outcome.NO_NEARER: f"the energy did not fall, {100 * self.share:.0f} % are left",
        }
        return f"{self.index}: {self.by} after {self.steps}, {how[self.outcome]}"


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
        arrived: whether the newest action was planned where nothing is nearer to the current sub-goal.

    Raises:
        ValueError: there is no sub-goal.
    """

    goals: tuple[SubGoal, ...]
    ended: tuple[EndedSubGoal, ...] = ()
    energies: tuple[float, ...] = ()
    steps: int = 0
    arrived: bool = False

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
                return Progress(self.goals, (*self.ended, self._end(ending, why, energies)))
        return replace(self, energies=energies)

    def acted(self, *, arrived: bool = False) -> Progress:
        """After an action for the current sub-goal; ``arrived``: its plan found nothing nearer than the arm was."""
        return replace(self, steps=self.steps + 1, arrived=arrived)

    def _end(self, ending: Ending, why: str, energies: tuple[float, ...]) -> EndedSubGoal:
        return EndedSubGoal(
            index=self.index,
            by=ending.name,
            why=why,
            steps=self.steps,
            first_energy=energies[0],
            energy=energies[-1],
            reached=ending.reached or self.arrived,
        )


def _counts_steps(ending: Ending) -> bool:
    """Sorts endings that only count behind those that look: what is seen tells more about how it went."""
    return ending.most_steps is not None
