"""`vjepa-mpc replay`: recorded plans come out the same to the last bit, or changed as what was asked for has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from support.rigs import exact_model
from support.rigs.plan_recordings import START, TURN, Recorded
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools.cli import main


def replayed(capsys: pytest.CaptureFixture[str], run: Path, *options: str, status: int = 0) -> dict[str, Any]:
    assert main(["replay", str(run), "--json", *options]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    "recorded",
    [
        Recorded(),
        Recorded(gripper="closed"),
        Recorded(gripper="close_after:1", values={"rollout": 2}),
        Recorded(values={"warm_start": True, "keep_elites": 0.5, "seed": 5}),
        Recorded(under_way=True, values={"action_rotation": TURN}),
        Recorded(changed={"samples": 40, "maxnorm": 0.05}),
    ],
    ids=["blocking", "closed", "close after", "warm start", "under way", "changed parameters"],
)
def test_it_is_what_the_controller_did_to_the_last_bit(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = recorded.write(tmp_path / "run")
    found = replayed(capsys, tmp_path / "run")
    assert (found["planned"], found["identical"]) == (len(steps), len(steps)), found["cycles"]
    for step, cycle in zip(steps, found["cycles"], strict=True):
        assert step.plan is not None
        assert cycle["again"]["actions"] == cycle["recorded"]["actions"] == step.plan.actions.tolist()
        assert cycle["again"]["energies"] == list(step.plan.energies)
        assert cycle["notes"] == [] and cycle["moved"] == [0.0] * 7


def test_other_parameters_another_goal_and_other_random_numbers_change_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first, *_) = Recorded(steps=2).write(tmp_path / "run")
    other = np.array([0.44, -0.12, 0.19, np.pi, 0.0, 0.0, 0.0])
    (tmp_path / "other.png").write_bytes(encode_png(exact_model.draw(other)))
    more = replayed(capsys, tmp_path / "run", "--set", "samples=800", "rollout=2", "--step", "1")
    assert more["changed"] == {"samples": 800, "rollout": 2} and more["identical"] == 0
    assert len(more["cycles"]) == 1 and len(more["cycles"][0]["again"]["actions"]) == 2
    elsewhere = replayed(capsys, tmp_path / "run", "--goal-picture", str(tmp_path / "other.png"), "--step", "1")
    planned = np.array(elsewhere["cycles"][0]["again"]["actions"][0])
    assert np.abs(planned[:3] - (other - START)[:3]).max() < 0.02, "it goes where the other picture is"
    assert first.plan is not None and elsewhere["cycles"][0]["recorded"]["actions"] == first.plan.actions.tolist()
    seeded = replayed(capsys, tmp_path / "run", "--seed", "7")
    assert seeded["identical"] == 0
    assert 0.0 < np.abs([cycle["moved"][:3] for cycle in seeded["cycles"]]).max() < 0.03


def test_a_warm_start_of_another_length_is_left_out_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recorded(values={"warm_start": True}, steps=2).write(tmp_path / "run")
    _, second = replayed(capsys, tmp_path / "run", "--set", "rollout=2")["cycles"]
    assert second["notes"] == ["without the warm start, which has another number of steps"]


def test_another_model_plans_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=1).write(tmp_path / "run")
    turned = replayed(capsys, tmp_path / "run", "--checkpoint", f"{exact_model.__name__}:turned")
    (cycle,) = turned["cycles"]
    recorded, again = (np.array(cycle[which]["actions"][0][:2]) for which in ("recorded", "again"))
    angle = np.degrees(np.arctan2(*recorded[::-1]) - np.arctan2(*again[::-1]))
    assert angle == pytest.approx(40.0, abs=8.0), "it takes actions to be turned by 40°"


def test_a_table_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=2).write(tmp_path / "run")
    assert main(["replay", str(tmp_path / "run")]) == ExitStatus.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["1", "0", "1"], ["1", "0", "2"]]
    assert all(" identical " in line for line in lines[1:3])
    assert lines[-1] == "2 of 2 cycle(s) planned again, 2 identical"
    assert main(["replay", str(tmp_path / "run"), "--set", "samples=20"]) == ExitStatus.DONE
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"2 of 2 .*, 0 identical; the others' first action moved by \d.\d\d cm .*", last)


def test_pictures_kept_as_jpeg_are_named_as_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=1, jpeg=True).write(tmp_path / "run")
    (cycle,) = replayed(capsys, tmp_path / "run")["cycles"]
    assert cycle["notes"] == ["the picture was recorded as JPEG, the planner saw it raw"]


def test_a_missing_picture_is_named_and_the_others_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recorded(lost=[1]).write(tmp_path / "run")
    found = replayed(capsys, tmp_path / "run")
    assert (found["planned"], found["identical"]) == (2, 2)
    assert (
        "the picture of goal 1, sub-goal 0, step 2, stamped 1700000000.000002000, is not"
        in found["cycles"][1]["reason"]
    )


def test_a_missing_goal_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorded(steps=1, without=["vjepa_mpc/msg/GoalPictures"]).write(tmp_path / "run")
    found = replayed(capsys, tmp_path / "run", status=ExitStatus.FAILED)
    assert "the goal picture of goal 1, sub-goal 0, step 1 is not in the recording" in found["cycles"][0]["reason"]
    (tmp_path / "goal.png").write_bytes(encode_png(exact_model.draw(START)))
    assert replayed(capsys, tmp_path / "run", "--goal-picture", str(tmp_path / "goal.png"))["planned"] == 1


def test_a_recording_of_another_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    Recorded(steps=1).write(tmp_path / "run")
    monkeypatch.setattr(
        exact_model.ExactModel, "encode", lambda self, images, crop="square": 0.5 * _encode(self, images)
    )
    (cycle,) = replayed(capsys, tmp_path / "run")["cycles"]
    assert cycle["notes"] == ["the goal picture has another latent: this is another model, or another machine"]


_encode = exact_model.ExactModel.encode


@pytest.mark.parametrize(
    ("recorded", "options", "says"),
    [
        (Recorded(without=["vjepa_mpc/msg/PlanRecord"]), (), "run has no plan records (vjepa_mpc/msg/PlanRecord)"),
        (Recorded(without=["rcl_interfaces/msg/ParameterEvent"]), (), "does not hold the parameters of /planner_node"),
        (
            Recorded(),
            ("--set", "sample=3"),
            "--set sample: the planner and the world model have no such parameter; is sam",
        ),
        (Recorded(), ("--set", "samples=many"), "--set samples=many: give int"),
        (Recorded(), ("--set", "warm_start=perhaps"), "--set warm_start=perhaps: give true or false"),
        (Recorded(), ("--set", "samples"), "--set 'samples': give name=value"),
        (Recorded(), ("--set", "topk=500"), "topk=500"),
        (
            Recorded(),
            ("--step", "9"),
            "no cycle is of --goal-id None and --step 9; the recording has goal 1, sub-goal 0,",
        ),
        (Recorded(), ("--goal-picture", "nowhere.png"), "nowhere.png does not exist"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    recorded: Recorded, options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.write(tmp_path / "run")
    assert main(["replay", str(tmp_path / "run"), *options]) == ExitStatus.MISUSED
    error = capsys.readouterr().err
    assert error.startswith("vjepa-mpc replay: ") and says in error and error.count("\n") == 1, error


def test_a_checkpoint_that_is_not_here_is_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recorded(steps=1).write(tmp_path / "run")
    found = replayed(capsys, tmp_path / "run", "--checkpoint", "/nowhere/model.pt", status=ExitStatus.FAILED)
    assert re.search(
        r"checkpoint='/nowhere/model.pt' .* cannot be used here .* --checkpoint", found["cycles"][0]["reason"]
    )


def test_several_recordings_and_no_recording_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == ExitStatus.MISUSED
    assert "holds no rosbag2 recording" in capsys.readouterr().err
    for name in ("one", "two"):
        Recorded(steps=1).write(tmp_path / name)
    assert main(["replay", str(tmp_path)]) == ExitStatus.MISUSED
    assert re.search("holds 2 recordings, give one: .*one.*two", capsys.readouterr().err)
    assert main(["replay", str(tmp_path / "three")]) == ExitStatus.MISUSED
    assert "three does not exist" in capsys.readouterr().err
