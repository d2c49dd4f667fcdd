"""What the gripper does during a sub-goal: as planned, or as the sub-goal says.

Adding an intent takes a class here and its place in ``_INTENTS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar

from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN

_SPELLING = re.compile(r"([a-z_]+)(?::(\d{1,6}))?")


@dataclass(frozen=True)
class GripperIntent:
    """The gripper does what is planned; the base of all intents. Actions are counted from 0 within the sub-goal."""

    word: ClassVar[str] = "free"

    @property
    def throughout(self) -> float | None:
        """The closedness that is commanded during the whole sub-goal, which the planner then need not search for."""
        return None

    @property
    def closes_at(self) -> int | None:
        """Index of the first action with the gripper closed, where the planner chooses the ones before."""
        return None

    def command(self, action: int) -> float | None:
        """The closedness to command with an action; None to do as planned."""
        if self.closes_at is not None and action >= self.closes_at:
            return CLOSED
        return self.throughout

    @staticmethod
    def parse(text: str) -> GripperIntent:
        """From the form that SetGoal.srv uses: "free", "open", "closed" or "close_after:H"; "" is "free".

        Raises:
            ValueError: anything else.
        """
        match = _SPELLING.fullmatch(text.strip().lower() or GripperIntent.word)
        kind = _INTENTS.get(match[1]) if match else None
        if match is None or kind is None or (match[2] is not None) != bool(fields(kind)):
            known = ", ".join(f"{word}:H with a step H, e.g. 2" if fields(k) else word for word, k in _INTENTS.items())
            raise ValueError(f"gripper intent {text!r}: use one of {known}")
        numbers = {each.name: int(match[2]) for each in fields(kind)}
        return kind(**numbers)

    def __str__(self) -> str:
        return ":".join([self.word, *(str(getattr(self, each.name)) for each in fields(self))])


@dataclass(frozen=True)
class Open(GripperIntent):
    """The gripper is open."""

    word = "open"
    throughout = OPEN


@dataclass(frozen=True)
class Closed(GripperIntent):
    """The gripper is closed, or holds what is between its fingers."""

    word = "closed"
    throughout = CLOSED


@dataclass(frozen=True)
class CloseAfter(GripperIntent):
    """As planned, then closed from an action on.

    Attributes:
        step: index, from 0, of the sub-goal's first action with the gripper closed.

    Raises:
        ValueError: the step is negative.
    """

    word = "close_after"
    step: int

    def __post_init__(self) -> None:
        if self.step < 0:
            raise ValueError(f"close_after:{self.step}: use a step of 0 or more")

    @property
    def closes_at(self) -> int:
        """The step."""
        return self.step


_INTENTS: dict[str, type[GripperIntent]] = {kind.word: kind for kind in (GripperIntent, Open, Closed, CloseAfter)}
