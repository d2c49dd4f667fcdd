"""Sequences of goals as folders: written and read alike, and refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.files import WriteError
from vjepa_mpc.goals.folder import LIST, PictureGoal, is_goal_folder, read_goals, write_goals
from vjepa_mpc.images import encode_jpeg, encode_png

IMAGE = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
PNG, JPEG = encode_png(IMAGE), encode_jpeg(IMAGE, 90)


def test_what_is_written_is_read_in_the_same_order(tmp_path: Path) -> None:
    goals = [
        PictureGoal("above", PNG, 4, "open"),
        PictureGoal("../odd name/ü", JPEG, None, "close_after:2"),
        PictureGoal("above", PNG),
    ]
    write_goals(tmp_path / "a/b", goals)
    assert is_goal_folder(tmp_path / "a/b") and not is_goal_folder(tmp_path)
    read = read_goals(tmp_path / "a/b")
    assert [goal.picture for goal in read] == [PNG, JPEG, PNG]
    assert [(goal.steps, goal.gripper) for goal in read] == [(4, "open"), (None, "close_after:2"), (None, "free")]
    assert [goal.name for goal in read] == ["above", "odd_name", "above"]
    assert {path.parent for path in tmp_path.rglob("*.png")} == {tmp_path / "a/b"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "is no folder of goals: goals.yaml cannot be read"),
        ("goals: [", "is no YAML"),
        ("- a.png", "lists no goals"),
        ("goals: []", "lists no goals"),
        ("goals: [{steps: 3}]", "entry 1: give picture: FILE"),
        ("goals: [{picture: a.png, step: 3}]", "entry 1: step unknown; known are gripper, picture, steps"),
        ("goals: [{picture: a.png, steps: 0}]", "entry 1: steps=0: give a whole number from 1"),
        ("goals: [{picture: a.png, steps: true}]", "entry 1: steps=True"),
        ("goals: [{picture: a.png}, {picture: a.png, gripper: shut}]", "entry 2: gripper intent 'shut': use one of"),
        ("goals: [{picture: missing.png}]", "missing.png does not exist"),
        ("goals: [{picture: goals.yaml}]", "is not a picture"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str | None, says: str) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    if text is not None:
        (tmp_path / LIST).write_text(text)
    with pytest.raises(ValueError, match="(?s)" + says.replace("[", r"\[")):
        read_goals(tmp_path)


def test_nothing_and_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no goal to write"):
        write_goals(tmp_path, [])
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="file could not be made"):
        write_goals(tmp_path / "file", [PictureGoal("a", PNG)])
