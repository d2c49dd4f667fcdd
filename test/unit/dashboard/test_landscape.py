"""The landscape of the moment, drawn by a process of its own."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from vjepa_mpc.dashboard.landscape import Landscapes
from vjepa_mpc.dashboard.seen import MOVING, GoalShown, Picture, Seen, Status

RANDOM = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def seen() -> Seen:
    result = Seen()
    result.camera = Picture(lambda: RANDOM[0])
    result.goal = GoalShown(1, (Picture(lambda: RANDOM[1]),), ("free",))
    result.status = Status("EXECUTING", MOVING, "NONE", "", goal_id=1, sub_goals=1)
    result.state = np.array([0.5, 0.0, 0.2, 3.14159, 0.0, 0.0, 0.0])
    return result


def drawn(seen: Seen) -> tuple[list[np.ndarray], tuple[bool, str]]:
    """What is shown, and the answer."""
    shown: list[np.ndarray] = []
    answered, said = threading.Event(), []

    def answer(*words: object) -> None:
        said.append(words)
        answered.set()

    Landscapes(seen).draw(shown.append, answer)
    assert answered.wait(120.0)
    return shown, said[0]  # type: ignore[return-value]


def test_it_is_shown_and_its_words_are_said(seen: Seen) -> None:
    seen.model = {"checkpoint": "", "crop": "square", "preset": "fast"}
    (image,), (done, words) = drawn(seen)
    assert image.ndim == 3 and image.std() > 5.0
    assert done and "where the hand goes changes the energy by" in words


def test_what_the_command_says_against_it_is_said(seen: Seen) -> None:
    seen.model = {"checkpoint": "/nowhere/model.safetensors"}
    shown, (done, words) = drawn(seen)
    assert not shown and not done and "/nowhere/model.safetensors is not a file" in words


def test_without_a_plan_there_is_none(seen: Seen) -> None:
    seen.state = None
    shown, (done, words) = drawn(seen)
    assert not shown and not done and "set a goal first" in words
