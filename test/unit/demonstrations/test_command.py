"""`vjepa-mpc subgoals` on a video and on a dataset, and what it refuses."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="recordings need the extra 'data'")
pytest.importorskip("h5py", reason="recordings need the extra 'data'")

from support.post_train import tiny_model
from support.robot_recordings import make_truth, write_robomimic, write_video
from vjepa_mpc.goals.folder import read_goals
from vjepa_mpc.images import decode_image, read_image_file
from vjepa_mpc.tools.cli import main

RATE = 10.0
FIRST, SECOND = (8, 8), (8, 80)  # places of the square, rows and columns


def pictures() -> np.ndarray:
    """A red square that goes from one corner to a second one, rests, and goes to a third."""
    rests = [np.repeat(np.array([place]), 12, axis=0) for place in (FIRST, SECOND, (60, 80))]
    shares = np.linspace(0.0, 1.0, 22)[1:-1, None]
    ways = [(1.0 - shares) * a[:1] + shares * b[:1] for a, b in itertools.pairwise(rests)]
    places = np.concatenate([rests[0], ways[0], rests[1], ways[1], rests[2]]).round().astype(int)
    images = np.full((len(places), 112, 128, 3), 90, np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[row : row + 30, column : column + 30] = [230, 40, 40]
    return images


def found(model: Path, source: Path, out: Path, *options: str) -> int:
    return main(["subgoals", str(source), "--out", str(out), "--model", str(model), "--threads", "1", *options])


def test_the_rest_in_a_video_and_its_end_become_goals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_video(tmp_path / "demo.mp4", pictures(), RATE)
    assert found(tiny_model(tmp_path / "tiny.safetensors"), video, tmp_path / "out") == 0
    goals = read_goals(tmp_path / "out")
    assert [goal.name for goal in goals] == ["stop", "end"]
    # 3.8 s from the first picture to the middle of the rest, 3.7 s from there to the end, and 0.8 s an action.
    assert [goal.steps for goal in goals] == [2 + 5, 2 + 5]
    assert {goal.gripper for goal in goals} == {"free"}
    middle = decode_image(goals[0].picture, "goal").astype(int)
    row, column = (place + 15 for place in SECOND)
    assert middle[row, column, 0] > middle[row, column, 1] + 80, "the square rests there"
    said = capsys.readouterr().out
    assert "gripper was not recorded" in said and "set_goal" in said
    sheet = read_image_file(tmp_path / "out" / "sheet.png")
    assert sheet.shape[1] >= 2 * 240


def test_a_recorded_gripper_and_recorded_poses_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_robomimic(tmp_path / "demo.hdf5", [make_truth(0, length=60)])
    assert found(tiny_model(tmp_path / "tiny.safetensors"), data, tmp_path / "out", "--rate", "10") == 0
    goals = read_goals(tmp_path / "out")
    assert any(goal.gripper == "closed" for goal in goals) and all(goal.steps for goal in goals)
    assert "not recorded" not in capsys.readouterr().out


def test_what_is_no_demonstration_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(tmp_path / "tiny.safetensors")
    text = tmp_path / "notes.mp4"
    text.write_text("this is no video")
    short = write_video(tmp_path / "short.mp4", pictures()[:2], RATE)
    video = write_video(tmp_path / "demo.mp4", pictures(), RATE)
    for source, options, says in (
        (text, (), "cut short or no video"),
        (tmp_path / "gone.mp4", (), "does not exist"),
        (short, (), "too short to find sub-goals in"),
        (video, ("--episode", "first"), "has neither episodes nor a mapping"),
    ):
        assert found(model, source, tmp_path / "out", *options) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "out" / "goals.yaml").exists()
