"""The interface of endings: what each of them is told, and what it answers."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from vjepa_mpc.options import check_options

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True)
class History:
    """How one sub-goal went so far.

    Attributes:
        energies: of the camera image to the sub-goal's image, one before each action and the newest one; oldest first,
            never empty.
        steps: actions taken.
    """

    energies: tuple[float, ...]
    steps: int


@dataclass(frozen=True, kw_only=True)
class Ending(ABC):
    """Says whether a sub-goal is over. Any number of endings compete; the first that says so ends the sub-goal.

    Each ending is a frozen dataclass in a file of its own in this folder. Its fields are options, so that it appears
    with them among the ROS parameters, as ``goal.<field>``. No two endings may have a field of the same name.

    Raises:
        ValueError: an option is out of range.
    """

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def over(self, history: History) -> str:
        """Why the sub-goal is over, in words with values; "" while it is not. Called once for each camera image."""

    @property
    def reached(self) -> bool:
        """Whether a sub-goal that this ending ends has been reached, rather than given up or left half-way."""
        return False

    @property
    def on(self) -> bool:
        """Whether the options ask for this ending at all."""
        return True

    @property
    def most_steps(self) -> int | None:
        """The number of actions after which this ending is sure to say so; None if it depends on what is seen."""
        return None

    @property
    def name(self) -> str:
        """What messages call it: the class's name in capitals."""
        return _WORD_START.sub("_", type(self).__name__).upper()
