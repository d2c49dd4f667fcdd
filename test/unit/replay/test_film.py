"""`vjepa-mpc replay RUN --video`: a film of every recording, and of what is missing it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")
pytest.importorskip("av", reason="the packages of the extra `data` are not installed")

from support.rigs.plan_recordings import Recorded
from vjepa_mpc.data.videos.reading import Video
from vjepa_mpc.imagination.imagined import SIDE
from vjepa_mpc.replay.recording import RecordedRun
from vjepa_mpc.tools.cli import main


def frames(path: Path) -> list[np.ndarray]:
    video = Video(path)
    return list(video.read(range(len(video))))


def test_camera_imagination_and_goal_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=3).write(tmp_path / "run")
    assert main(["replay", str(tmp_path / "run"), "--video", str(tmp_path / "out.mp4")]) == 0
    assert "3 of 3 cycle(s) shown with what was expected" in capsys.readouterr().out
    shown = frames(tmp_path / "out.mp4")
    assert len(shown) >= 3 and shown[0].shape == (SIDE, 3 * SIDE + 16, 3)
    assert all(shown[0][:350, start : start + SIDE].std() > 1.0 for start in (0, SIDE + 8, 2 * SIDE + 16))


def test_what_cannot_be_shown_of_a_cycle_is_said_and_the_rest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recorded(steps=3, without=["vjepa_mpc/msg/GoalPictures"]).write(tmp_path / "run")
    assert main(["replay", str(tmp_path / "run"), "--video", str(tmp_path / "out.mp4")]) == 0
    told = capsys.readouterr()
    assert "0 of 3 cycle(s)" in told.out and "the goal picture of goal 1" in told.err
    assert frames(tmp_path / "out.mp4")[0][:350, :SIDE].std() > 1.0, "the camera's picture is shown all the same"


def test_a_model_that_is_not_here_leaves_the_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=2).write(tmp_path / "run")
    gone = tmp_path / "gone.safetensors"
    assert main(["replay", str(tmp_path / "run"), "--video", str(tmp_path / "o.mp4"), "--checkpoint", str(gone)]) == 0
    assert "gone.safetensors" in capsys.readouterr().err and frames(tmp_path / "o.mp4")


def test_a_recording_without_these_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=2, lost=(0, 1)).write(tmp_path / "run")
    assert main(["replay", str(tmp_path / "run"), "--video", str(tmp_path / "out.mp4")]) == 2
    assert "there is nothing to show" in capsys.readouterr().err and not (tmp_path / "out.mp4").exists()


def test_a_lost_picture_does_not_show_what_comes_after_it_twice(tmp_path: Path) -> None:
    Recorded(steps=3, lost=(1,)).write(tmp_path / "run")
    run = RecordedRun(tmp_path / "run")
    counts = [len(list(run.pictures_from(each, run.cycles[n:]))) for n, each in enumerate(run.cycles, start=1)]
    assert counts == [1, 0, 1]
