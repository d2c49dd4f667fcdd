"""One goal image, what ends the way to it, and how the arm moves meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.images import check_rgb

T = TypeVar("T")


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
        endings: they compete; without any, the image is followed until the goal is cleared or replaced.
        gripper: what the gripper does meanwhile.
        overrides: planner settings for this sub-goal.

    Raises:
        TypeError: the image is not a uint8 array.
        ValueError: the image is empty or not RGB.
    """

    image: np.ndarray
    endings: tuple[Ending, ...] = ()
    gripper: GripperIntent = field(default_factory=GripperIntent)
    overrides: PlannerOverrides = field(default_factory=PlannerOverrides)

    def __post_init__(self) -> None:
        check_rgb(self.image, "goal image")

    @property
    def most_steps(self) -> int | None:
        """The most actions that may be taken; None for no bound."""
        return min((ending.most_steps for ending in self.endings if ending.most_steps is not None), default=None)


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
