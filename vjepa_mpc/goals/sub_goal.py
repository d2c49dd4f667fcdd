"""What to reach: goal images in sequence, each with the conditions that end it.

From the final image alone a pick-and-place fails; a sequence of sub-goal images makes it work (V-JEPA 2, arXiv
2506.09985, section 4.3: budgets of 4, 10 and 4 steps). Besides the paper's step budgets a sub-goal can end when the
energy of the newest camera image is low enough, or when it stops falling; whichever comes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_INTENTS = ("free", "open", "closed", "close_after")
_CLOSE_AFTER = re.compile(r"close_after:(\d{1,6})")


@dataclass(frozen=True)
class GripperIntent:
    """What the gripper does during a sub-goal.

    Attributes:
        kind: ``free`` (as planned), ``open``, ``closed``, or ``close_after`` (as planned, then closed from `step` on).
        step: for ``close_after`` the index, from 0, of the sub-goal's first action with the gripper closed.

    Raises:
        ValueError: an unknown kind or an unusable step.
    """

    kind: str = "free"
    step: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _INTENTS:
            raise ValueError(f"gripper intent {self.kind!r}: use one of {', '.join(_INTENTS)}")
        if self.step < 0 or (self.step and self.kind != "close_after"):
            raise ValueError(f"gripper intent step={self.step}: use 0 or more, and only with close_after")

    @classmethod
    def parse(cls, text: str) -> GripperIntent:
        """From the form that SetGoal.srv uses: "free", "open", "closed" or "close_after:H"; "" is "free"."""
        word = text.strip().lower() or "free"
        if match := _CLOSE_AFTER.fullmatch(word):
            return cls("close_after", int(match[1]))
        if word not in _INTENTS[:3]:
            raise ValueError(f"gripper intent {text!r}: use free, open, closed, or close_after:H with a step H, e.g. 2")
        return cls(word)

    def __str__(self) -> str:
        return f"close_after:{self.step}" if self.kind == "close_after" else self.kind


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """The energy has stopped falling.

    Attributes:
        window: how many of the newest energies a line is fitted to (least squares), at least 2.
        slope: the sub-goal ends when the line falls by less than this fraction of the sub-goal's first energy a step.

    Raises:
        ValueError: a window below 2 or a slope that is negative or not finite.
    """

    window: int
    slope: float

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"plateau window={self.window}: a slope needs at least 2 energies")
        if not (math.isfinite(self.slope) and self.slope >= 0.0):
            raise ValueError(f"plateau slope={self.slope}: use a fraction a step of 0 or more, e.g. 0.02")

    def reached(self, energies: Sequence[float]) -> bool:
        """Whether the energies of a sub-goal, one a step and oldest first, have levelled off."""
        if len(energies) < self.window:
            return False
        newest = np.asarray(energies[-self.window :], dtype=np.float64)
        steps = np.arange(self.window) - (self.window - 1) / 2
        fall = -float(steps @ newest / (steps @ steps))
        return fall < self.slope * energies[0]


@dataclass(frozen=True, kw_only=True)
class PlannerOverrides:
    """Planner settings that differ for one sub-goal; None keeps the planner's own.

    Attributes:
        maxnorm: metres a step and axis.
        horizon: planned steps (``rollout``).
    """

    maxnorm: float | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.maxnorm is not None and not (math.isfinite(self.maxnorm) and self.maxnorm > 0.0):
            raise ValueError(f"maxnorm={self.maxnorm}: use a positive number of metres, e.g. 0.05")
        if self.horizon is not None and self.horizon < 1:
            raise ValueError(f"horizon={self.horizon}: plan at least 1 step")


@dataclass(frozen=True, kw_only=True, eq=False)
class SubGoal:
    """One goal image and what ends the way to it.

    Attributes:
        image: uint8 RGB [H, W, 3].
        steps: the most actions that may be taken; None for no budget, which follows the image until another condition
            ends it or the goal is cleared.
        energy_threshold: ends the sub-goal when the camera image's energy is at or below it.
        plateau: ends the sub-goal when the energy has stopped falling.
        gripper: what the gripper does meanwhile.
        overrides: planner settings for this sub-goal.

    Raises:
        TypeError: the image is not a uint8 array.
        ValueError: another value is unusable; the message says what to use.
    """

    image: np.ndarray
    steps: int | None
    energy_threshold: float | None = None
    plateau: Plateau | None = None
    gripper: GripperIntent = field(default_factory=GripperIntent)
    overrides: PlannerOverrides = field(default_factory=PlannerOverrides)

    def __post_init__(self) -> None:
        check_image(self.image, "goal image")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps={self.steps}: a sub-goal takes at least 1 step")
        threshold = self.energy_threshold
        if threshold is not None and not (math.isfinite(threshold) and threshold > 0.0):
            raise ValueError(f"energy_threshold={threshold}: use a positive energy, or leave it out")


def check_image(image: np.ndarray, name: str) -> None:
    """Refuse anything but a non-empty uint8 RGB array [H, W, 3].

    Raises:
        TypeError: not a uint8 array.
        ValueError: another shape.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = f"{image.dtype} array" if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"{name} is a {kind}: convert it to an 8-bit RGB numpy array (uint8)")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"{name} has shape {image.shape}: use a non-empty RGB image [height, width, 3]")


class Ending(Enum):
    """Why a sub-goal ended."""

    BUDGET = "its steps were used up"
    ENERGY = "the energy fell to its threshold"
    PLATEAU = "the energy stopped falling"


@dataclass(frozen=True)
class EndedSubGoal:
    """How one sub-goal went: its index, what ended it, the actions taken for it, the energy at its end."""

    index: int
    by: Ending
    steps: int
    energy: float


class GoalSequence:
    """The progress through a sequence of sub-goals. Not thread-safe: it belongs to whoever takes the steps.

    Before each action, call `update` with the newest image's energy to the current sub-goal until it returns None;
    after each action call `action_taken`.

    Raises:
        ValueError: there is no sub-goal.
    """

    def __init__(self, goals: Sequence[SubGoal]) -> None:
        if not goals:
            raise ValueError("the goal has no images: give at least one")
        self.goals = tuple(goals)
        self._ended: list[EndedSubGoal] = []
        self._energies: list[float] = []
        self._step = 0

    @property
    def index(self) -> int:
        """Index of the current sub-goal; the number of sub-goals when all have ended."""
        return len(self._ended)

    @property
    def step(self) -> int:
        """Actions taken for the current sub-goal."""
        return self._step

    @property
    def current(self) -> SubGoal | None:
        """The sub-goal to move to; None when all have ended."""
        return None if self.finished else self.goals[self.index]

    @property
    def finished(self) -> bool:
        """Whether all sub-goals have ended."""
        return self.index == len(self.goals)

    @property
    def ended(self) -> tuple[EndedSubGoal, ...]:
        """The sub-goals that have ended, in order."""
        return tuple(self._ended)

    def update(self, energy: float) -> EndedSubGoal | None:
        """Take note of the newest energy to the current sub-goal; returns that sub-goal if this ends it.

        Raises:
            ValueError: the energy is not finite: the model or the image is broken.
            RuntimeError: all sub-goals have ended.
        """
        if not math.isfinite(energy):
            raise ValueError(f"energy={energy}: the world model returned no number; check checkpoint and dtype")
        goal = self.current
        if goal is None:
            raise RuntimeError("all sub-goals have ended: set a new goal")
        del self._energies[self._step :]  # planned again without acting: only the newest energy of a step counts
        self._energies.append(energy)
        ending = self._ending(goal, energy)
        if ending is None:
            return None
        ended = EndedSubGoal(self.index, ending, self._step, energy)
        self._ended.append(ended)
        self._energies.clear()
        self._step = 0
        return ended

    def action_taken(self) -> None:
        """Count an action for the current sub-goal."""
        self._step += 1

    def retract_action(self) -> None:
        """Take the newest action back: it was not carried out."""
        if self._step == 0:
            raise RuntimeError("no action of the current sub-goal was taken: nothing to retract")
        self._step -= 1

    def _ending(self, goal: SubGoal, energy: float) -> Ending | None:
        if goal.energy_threshold is not None and energy <= goal.energy_threshold:
            return Ending.ENERGY
        if goal.plateau is not None and goal.plateau.reached(self._energies):
            return Ending.PLATEAU
        if goal.steps is not None and self._step >= goal.steps:
            return Ending.BUDGET
        return None


def broadcast_options(count: int, values: Sequence[T], default: T, name: str) -> tuple[T, ...]:
    """One option a sub-goal from what SetGoal.srv allows: one value a sub-goal, one value for all, or none.

    Raises:
        ValueError: another number of values.
    """
    if len(values) == 0:
        return (default,) * count
    if len(values) == 1:
        return (values[0],) * count
    if len(values) != count:
        raise ValueError(f"{len(values)} values of {name} for {count} goal images: give {count}, one for all, or none")
    return tuple(values)
