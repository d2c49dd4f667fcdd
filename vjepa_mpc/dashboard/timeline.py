"""A recording's time, for a page that shows one instead of a running planner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from vjepa_mpc.dashboard.commands import Answer, Commands
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.goals.folder import PictureGoal
from vjepa_mpc.images import encode_png


class Timeline(Protocol):
    """What a slider moves along."""

    @property
    def seconds(self) -> float:
        """From the first message to the last."""

    def show(self, at: float) -> None:
        """Have everything be seen as it was so many seconds after the first message; any thread."""


class Recorded(Commands):
    """Answers what is clicked on the page of a recording: pictures can be taken from it, and nothing can be changed."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def hold(self, answer: Answer) -> None:
        """There is no arm to hold."""
        _refuse(answer)

    def release(self, answer: Answer) -> None:
        """Likewise."""
        _refuse(answer)

    def pause(self, answer: Answer) -> None:
        """Likewise."""
        _refuse(answer)

    def resume(self, answer: Answer) -> None:
        """Likewise."""
        _refuse(answer)

    def clear(self, answer: Answer) -> None:
        """Likewise."""
        _refuse(answer)

    def start(self, goals: Sequence[PictureGoal], answer: Answer) -> None:
        """Likewise; the goals can be saved."""
        _refuse(answer)

    def look(self, taken: Callable[[bytes], None], answer: Answer) -> None:
        """The picture that is shown."""
        picture = self._seen.camera
        if picture is None:
            answer(False, "the recording has no picture at this time: move the slider")
            return
        taken(encode_png(picture.decode()))

    def landscape(self, shown: Callable[[np.ndarray], None], answer: Answer) -> None:
        """Not here: nobody has told with which model."""
        answer(False, "`vjepa-mpc landscape run RUN` draws the landscapes of a recording")

    def tune(self, name: str, value: bool | int | float | str, answer: Answer) -> None:
        """There is no planner to tell."""
        _refuse(answer)


def _refuse(answer: Answer) -> None:
    answer(
        False, "this is a recording: nothing moves, and nothing can be changed; goals can be taken from it and saved"
    )
