"""The command set_goal: what cannot be is one line and exit status 2, and a signal ends it in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from rclpy.qos import DurabilityPolicy, QoSProfile
from vjepa_mpc.msg import PlanStatus

from support.rigs.nodes import nodes
from vjepa_mpc.goals.folder import PictureGoal, write_goals
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools import set_goal
from vjepa_mpc.tools.processes import local_environment

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ENDS_WITHIN = 60.0  # seconds


def test_set_goal_does_not_wait_for_pytorch() -> None:
    code = "import sys, vjepa_mpc.tools.set_goal; assert not {'torch', 'scipy'} & set(sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--steps", "99999999999"], "--steps: 99999999999: give a whole number from 1"),
        (["--steps", "0"], "--steps: 0: give a whole number from 1"),
        (["--timeout", "nan"], "--timeout: nan: give a number"),
        (["--node", "a b"], "--node: 'a b' is no name that ROS allows"),
        (["--node", ""], "--node: '' is no name that ROS allows"),
        (["--gripper", "shut"], "gripper intent 'shut': use one of free, open, closed"),
        (["--ros-args", "--log-levl", "warn"], "did you mean --log-level?"),
        (["--ros-args", "--log-level", "loud"], "--log-level loud"),
        (["--ros-args", "-r", "__node:=a b"], "__node:=a b"),
        (["--ros-args", "-r", "__nod:=x"], "__nod:=x"),
        (["--ros-args", "-r"], "-r stands at the end of the command line"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "g.png"
    picture.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert ended([str(picture), *arguments]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("set_goal: ") and says in line


@pytest.mark.parametrize("option", [["--gripper", "closed"], ["--steps", "4"]])
def test_an_option_does_not_swallow_the_picture_after_it(option: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert ended([*option, "g.png"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "g.png" in line and "pictures stand before the options" in line.lower()


def ended(arguments: list[str]) -> int:
    """The exit status of a command line that is refused."""
    try:
        return set_goal.main(["set_goal", *arguments])
    except SystemExit as end:
        return int(str(end.code))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(number: int) -> None:
    with nodes() as start:
        planner = start("planner_node")
        status = planner.create_publisher(PlanStatus, "planner_node/status", LATCHED)
        command = [sys.executable, "-m", "vjepa_mpc.tools.set_goal", "--current", "--timeout", "600"]
        with subprocess.Popen(
            command, cwd=ROOT, env=local_environment(start.domain), stderr=subprocess.PIPE, text=True
        ) as process:
            assert start.spin_until(lambda: status.get_subscription_count() > 0, ENDS_WITHIN), "it never began to wait"
            process.send_signal(number)
            _, said = process.communicate(timeout=ENDS_WITHIN)
    assert (process.returncode, said) == (130, "set_goal: interrupted before the planner answered\n")


def test_a_folder_of_goals_brings_its_budgets(tmp_path: Path) -> None:
    picture = encode_png(np.zeros((8, 8, 3), np.uint8))
    write_goals(tmp_path / "both", [PictureGoal("a", picture, 4, "open"), PictureGoal("b", picture, 9)])
    request = set_goal.make_request(set_goal.parser().parse_args([str(tmp_path / "both")]))
    assert (list(request.steps), list(request.gripper)) == ([4, 9], ["open", "free"])
    assert [bytes(image.data) for image in request.images] == [picture, picture]
    request = set_goal.make_request(set_goal.parser().parse_args([str(tmp_path / "both"), "--steps", "2"]))
    assert list(request.steps) == [2]
    write_goals(tmp_path / "one", [PictureGoal("a", picture, 4), PictureGoal("b", picture)])
    with pytest.raises(ValueError, match="1 of 2 goals have steps"):
        set_goal.make_request(set_goal.parser().parse_args([str(tmp_path / "one")]))
