"""`vjepa-mpc judge` on recordings of which it is known what a model should be told of them."""

from __future__ import annotations

import argparse
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from support.golden import SHARED
from support.rigs import exact_model
from vjepa_mpc.calibration.fit import load_rotation
from vjepa_mpc.data import open_dataset
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.judging import command
from vjepa_mpc.judging.recovery import Recovery

pytestmark = pytest.mark.filterwarnings("ignore:.*it has no stamps")

Judge = Callable[..., dict[str, Any]]


def run(*options: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args(options))


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Judges a model of ``exact_model`` on a file of recordings; what the JSON says."""

    def judged(data: Path, model: str = "exact", *options: str) -> dict[str, Any]:
        few = ("--samples", "40", "--pictures", "1")
        assert (
            run(
                "--data",
                str(data),
                "--model",
                f"{exact_model.__name__}:{model}",
                "--out",
                str(tmp_path),
                *few,
                *options,
            )
            == 0
        )
        found: dict[str, Any] = json.loads((tmp_path / command.JSON_FILE).read_text())
        return found

    return judged


def preferred(found: dict[str, Any]) -> dict[str, str]:
    return {f"{each['convention']}: {each['other']}": each["verdict"] for each in found["conventions"]}


def test_a_model_that_is_exact_is_ready(tmp_path: Path, judge: Judge) -> None:
    found = judge(exact_model.write(tmp_path / "arm.npz"))
    assert (found["verdict"], found["gripper_verdict"]) == ("ready", "ready")
    assert all(check["passed"] for check in found["checks"] if "rotation" not in check["name"])
    assert [row["steps"] for row in found["prediction"]] == [1, 2, 3, 4]
    assert all(row["beside_copied"] < 0.2 and row["beside_shuffled"] < 0.2 for row in found["prediction"])
    everything = found["recovery"][0]
    assert everything["moves"] == "all" and everything["error_cm"] < 1.0 and everything["direction_degrees"] < 15
    assert {"+x", "-x", "+y", "-y", "+z", "-z"} <= {row["moves"] for row in found["recovery"]}
    assert abs(found["turn"]["vertical_degrees"]) < 5
    assert preferred(found)["colours: red and blue swapped"] == "as given"
    assert preferred(found)["gripper: 1 open, 0 closed"] == "as given"
    assert preferred(found)["crop: droid"].startswith("cannot be told: the pictures are square")
    assert not (tmp_path / command.ROTATION_FILE).exists()


def test_a_turned_camera_is_found_and_its_rotation_written(tmp_path: Path, judge: Judge) -> None:
    found = judge(exact_model.write(tmp_path / "arm.npz"), "turned")
    assert found["verdict"] == "ready with calibration"
    low, high = found["turn"]["vertical_degrees_95"]
    assert found["turn"]["vertical_degrees"] == pytest.approx(40, abs=4) and low < 40 < high
    assert found["turn"]["left"] > 0.5 > 2 * found["turn"]["left_after_vertical"]
    rotation = load_rotation(tmp_path / command.ROTATION_FILE)
    assert np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0])) == pytest.approx(40, abs=5)


def test_pictures_that_do_not_belong_to_the_poses_make_it_not_ready(tmp_path: Path, judge: Judge) -> None:
    found = judge(exact_model.write(tmp_path / "arm.npz", shuffled=True))
    assert found["verdict"] == "not ready"
    assert any("it matters to it what the arm does" in each or "better than" in each for each in found["advice"])
    assert not (tmp_path / command.ROTATION_FILE).exists()


def test_swapped_colours_are_named_with_their_remedy(tmp_path: Path, judge: Judge) -> None:
    found = judge(exact_model.write(tmp_path / "arm.npz", bgr=True))
    assert found["verdict"] != "ready"
    assert preferred(found)["colours: red and blue swapped"] == "the other"
    assert any("`colours: bgr`" in each for each in found["advice"])
    cured = tmp_path / "arm.yaml"
    cured.write_text("colours: bgr")
    assert judge(tmp_path / "arm.npz", "exact", "--mapping", str(cured))["verdict"] == "ready"


def test_an_inverted_gripper_is_named_with_its_remedy(tmp_path: Path, judge: Judge) -> None:
    inverted = tmp_path / "arm.yaml"
    inverted.write_text("gripper_open: 1\ngripper_closed: 0")
    found = judge(exact_model.write(tmp_path / "arm.npz"), "exact", "--mapping", str(inverted))
    assert found["gripper_verdict"] == "not ready"
    assert preferred(found)["gripper: 1 open, 0 closed"] == "the other"
    assert any("exchange `gripper_open` and `gripper_closed`" in each for each in found["advice"])


def test_too_little_is_said_to_be_too_little(tmp_path: Path, judge: Judge) -> None:
    found = judge(exact_model.write(tmp_path / "arm.npz", episodes=1, length=2))
    assert (found["verdict"], found["gripper_verdict"]) == ("cannot be judged", "cannot be judged")
    assert all(check["passed"] is None for check in found["checks"])
    assert len(found["prediction"]) == 1 and found["turn"] is None
    assert all(verdict.startswith("cannot be told") for verdict in preferred(found).values())


def test_the_two_real_frames_of_a_franka_are_looked_at(tmp_path: Path) -> None:
    frames = SHARED / "data" / "franka_example_traj.npz"
    if not frames.is_file():
        pytest.skip(f"{frames} is not there")
    assert run("--data", str(frames), "--out", str(tmp_path), "--samples", "2", "--pictures", "0") == 0
    found = json.loads((tmp_path / command.JSON_FILE).read_text())
    assert found["verdict"] == "cannot be judged"
    (move,) = found["moves"]
    assert move["made"][:3] == pytest.approx([0.09, 0.03, 0.08], abs=0.005)


def test_the_page_needs_nothing_beside_it(tmp_path: Path, judge: Judge) -> None:
    judge(exact_model.write(tmp_path / "arm.npz"))
    page = (tmp_path / command.PAGE_FILE).read_text()
    assert "Ready to move the arm; gripper: ready" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    pictures = re.findall(r'base64,([^"]+)"', page)
    assert len(pictures) == 3
    for index, picture in enumerate(pictures):
        (tmp_path / f"{index}.png").write_bytes(base64.b64decode(picture))
        assert Image.open(tmp_path / f"{index}.png").size[0] > 400


def test_ctrl_c_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planned, plan = [], Recovery.__call__

    def interrupted(self: Recovery, stretch: Any) -> Any:
        if len(planned) == 12:
            raise KeyboardInterrupt
        planned.append(stretch)
        return plan(self, stretch)

    monkeypatch.setattr(Recovery, "__call__", interrupted)
    data = exact_model.write(tmp_path / "arm.npz")
    model = f"{exact_model.__name__}:exact"
    status = run("--data", str(data), "--model", model, "--out", str(tmp_path), "--samples", "20")
    found = json.loads((tmp_path / command.JSON_FILE).read_text())
    assert status == ExitStatus.INTERRUPTED and found["partial"]
    assert found["recovery"][0]["count"] == 12 and found["gripper_verdict"] == "cannot be judged"
    assert "interrupted" in capsys.readouterr().out


def test_what_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"--out .*judge.html cannot be written"):
        run("--data", "nowhere", "--model", "nothing.safetensors", "--out", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--samples", "0"), "0: give a whole number from 1"),
        (("--seconds-a-step", "-1"), "-1: give a number from 0.001"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("--data", "nowhere", *options)
    assert says in capsys.readouterr().err


def test_only_held_out_episodes_of_the_training_data_count(tmp_path: Path) -> None:
    dataset = open_dataset(exact_model.write(tmp_path / "arm.npz"))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(["--data", str(tmp_path / "arm.npz")])
    header = {"training_data": "3 episodes, 120 frames of arm.npz", "held_out_data": "trajectory_2"}
    episodes, about = command.held_out(dataset, header, args)
    assert [each.name for each in episodes] == ["trajectory_2"] and "not trained on" in about[0]
    elsewhere, _ = command.held_out(dataset, {**header, "training_data": "3 episodes of others"}, args)
    assert len(elsewhere) == 4
    with pytest.raises(ValueError, match="was trained on all episodes"):
        command.held_out(dataset, {**header, "held_out_data": "another"}, args)
    args.trained_on = True
    assert len(command.held_out(dataset, header, args)[0]) == 4
