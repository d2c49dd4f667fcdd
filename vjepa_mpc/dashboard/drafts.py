"""The sequence of sub-goals that is being made on the page, before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vjepa_mpc.goals.folder import PictureGoal
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.images import decode_image

MOST_BYTES = 10 * 2**20  # a camera's picture has a tenth of it
MOST_GOALS = 64


class Drafts:
    """An editable sequence. Every change calls ``changed``.

    Args:
        changed: called after a change of what there is or of its order; not after one of a budget or gripper.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._goals: tuple[PictureGoal, ...] = ()

    @property
    def goals(self) -> tuple[PictureGoal, ...]:
        """The sequence."""
        return self._goals

    def add(self, name: str, picture: bytes, steps: int | None = None) -> None:
        """One more at the end.

        Raises:
            ValueError: it is no picture that can be a goal; the message says why and what to do.
        """
        if len(picture) > MOST_BYTES:
            size = f"{len(picture) / 2**20:.1f} MB, more than {MOST_BYTES / 2**20:.0f} MB"
            raise ValueError(f"{name} has {size}: give a picture as this camera takes them")
        if len(self._goals) >= MOST_GOALS:
            raise ValueError(f"{name}: there are {MOST_GOALS} sub-goals already; remove one first")
        decode_image(picture, name)
        self.put((*self._goals, PictureGoal(name, picture, steps)))

    def put(self, goals: Sequence[PictureGoal]) -> None:
        """Another sequence."""
        self._goals = tuple(goals)
        self._changed()

    def move(self, index: int, by: int) -> None:
        """One earlier (-1) or later (1) in the order; at either end it stays."""
        other = index + by
        if 0 <= index < len(self._goals) and 0 <= other < len(self._goals):
            goals = list(self._goals)
            goals[index], goals[other] = goals[other], goals[index]
            self.put(goals)

    def remove(self, index: int) -> None:
        """Without one of them."""
        self.put([goal for number, goal in enumerate(self._goals) if number != index])

    def set_steps(self, index: int, steps: int) -> None:
        """Its budget; 0 is the planner's own."""
        self._edit(index, steps=steps or None)

    def set_gripper(self, index: int, gripper: str) -> None:
        """What the gripper does.

        Raises:
            ValueError: no such intent.
        """
        self._edit(index, gripper=str(GripperIntent.parse(gripper)))

    def _edit(self, index: int, **changes: object) -> None:
        self._goals = tuple(
            replace(goal, **changes) if number == index else goal  # type: ignore[arg-type]
            for number, goal in enumerate(self._goals)
        )
