"""The set_goal command, as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from support.rig import Rig
from vjepa_mpc.images import encode_png, read_image_file
from vjepa_mpc.tools.processes import local_environment


def set_goal(domain: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vjepa_mpc.tools.set_goal", *arguments]
    environment = local_environment(domain)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_pictures_become_a_goal(rig: Rig, domain: int, picture: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "goal.png"
    file.write_bytes(encode_png(picture))
    done = set_goal(domain, str(file), str(file), "--steps", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "is set" in done.stdout
    assert rig.wait_for_reason("GOAL_FINISHED").sub_goals == 2


def test_what_the_planner_refuses_is_shown(rig: Rig, domain: int) -> None:
    done = set_goal(domain, "/nowhere.png", "--remote")
    assert done.returncode == 1
    assert "refused: image file /nowhere.png does not exist" in done.stdout


def test_a_bad_picture_is_refused_before_it_is_sent(domain: int) -> None:
    done = set_goal(domain, __file__)
    assert done.returncode == 2
    assert "is not a picture" in done.stderr


def test_what_the_camera_sees_is_kept_and_is_a_goal(rig: Rig, domain: int, tmp_path: Path) -> None:
    file = tmp_path / "above_block.png"
    done = set_goal(domain, "--save-current", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    seen = rig.link.wait_for_view().image
    assert np.abs(read_image_file(file).astype(int) - seen.astype(int)).mean() < 1.0, "the arm was at rest"
    assert set_goal(domain, str(file), "--steps", "1").returncode == 0


def test_saving_sets_no_goal(domain: int, tmp_path: Path) -> None:
    for wrong in (["--current"], ["a.png"]):
        done = set_goal(domain, *wrong, "--save-current", str(tmp_path / "a.png"))
        assert done.returncode == 2 and "--save-current sets no goal" in done.stderr
    done = set_goal(domain, "--save-current", str(tmp_path))
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_without_a_planner_it_says_so(domain: int) -> None:
    done = set_goal(domain, "--current", "--node", "nobody", "--timeout", "1")
    assert done.returncode == 1
    assert "is the planner running there" in done.stderr
