"""Sub-goals from a demonstration: key pictures with step budgets and what the gripper does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.demonstrations.keyframes import CLOSED, OPENED, Keyframe, find_keyframes
from vjepa_mpc.demonstrations.source import Demonstration
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.worldmodel import Crop, WorldModel

MARGIN = 2  # actions beyond those that the way needs
_AT_ONCE = 16
_HALF = 0.5  # of the range of closedness in a demonstration


@dataclass(frozen=True, kw_only=True, eq=False)
class ProposedGoal:
    """A sub-goal that was found.

    Attributes:
        picture: uint8 RGB [H, W, 3].
        seconds: into the demonstration.
        why: it matters.
        steps: the budget.
        gripper: an intent, as :meth:`GripperIntent.parse` reads it.
    """

    picture: np.ndarray
    seconds: float
    why: str
    steps: int
    gripper: str


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a budget is made of.

    Attributes:
        step_seconds: of a demonstration, that one action counts for where nobody recorded poses.
        maxnorm: metres that one action moves along an axis, where poses were recorded.
    """

    step_seconds: float = 0.8
    maxnorm: float = 0.075


def propose(model: WorldModel, crop: Crop, demonstration: Demonstration, pace: Pace) -> tuple[ProposedGoal, ...]:
    """The sub-goals of a demonstration.

    Args:
        model: whose latents tell which pictures matter.
        crop: of the pictures.
        demonstration: to look through.
        pace: for the budgets.

    Raises:
        DataError: a picture cannot be read.
    """
    latents = _encoded(model, crop, demonstration)
    found = find_keyframes(latents, demonstration.stamps, demonstration.closedness)
    pictures = demonstration.pictures(np.array([each.index for each in found]))
    goals, before = [], 0
    for keyframe, picture in zip(found, pictures, strict=True):
        goals.append(
            ProposedGoal(
                picture=picture,
                seconds=float(demonstration.stamps[keyframe.index]),
                why=keyframe.why,
                steps=MARGIN + _actions(demonstration, before, keyframe.index, pace),
                gripper=_gripper(demonstration, before, keyframe),
            )
        )
        before = keyframe.index
    return tuple(goals)


def _encoded(model: WorldModel, crop: Crop, demonstration: Demonstration) -> Tensor:
    """Latents [T, N, D] float16 of all pictures, on the CPU."""
    found: list[Tensor] = []
    waiting: list[np.ndarray] = []
    for number, picture in enumerate(demonstration.pictures(np.arange(len(demonstration.stamps))), start=1):
        waiting.append(picture)
        if len(waiting) == _AT_ONCE or number == len(demonstration.stamps):
            found.append(model.encode(np.stack(waiting), crop).to("cpu", torch.float16))
            waiting = []
    return torch.cat(found)


def _actions(demonstration: Demonstration, first: int, last: int, pace: Pace) -> int:
    """How many actions the way between two pictures needs."""
    if demonstration.positions is None:
        seconds = demonstration.stamps[last] - demonstration.stamps[first]
        return math.ceil(float(seconds) / pace.step_seconds)
    moves = np.abs(np.diff(demonstration.positions[first : last + 1], axis=0)).sum(axis=0)
    return max(1, math.ceil(float(moves.max()) / pace.maxnorm))


def _gripper(demonstration: Demonstration, first: int, keyframe: Keyframe) -> str:
    """Open or closed where the demonstration has it so throughout or switches to it; else as the planner finds."""
    if demonstration.closedness is None:
        return GripperIntent.word
    if keyframe.why in (CLOSED, OPENED):
        return "closed" if keyframe.why == CLOSED else "open"
    low, high = float(demonstration.closedness.min()), float(demonstration.closedness.max())
    held = demonstration.closedness[first : keyframe.index + 1] > low + _HALF * (high - low)
    if held.all() or not held.any():
        return "closed" if held.all() else "open"
    return GripperIntent.word
