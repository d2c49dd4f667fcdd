"""What is left when a launch ends, in whatever way, and what its nodes really got."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from lifecycle_msgs.srv import GetState

from support.launching import launched, needs_ros2
from support.rig import Recorder

pytestmark = [needs_ros2, pytest.mark.slow]
PLAN = ("vjepa_mpc", "plan.launch.py")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sim:=yes", 'Argument "sim" provided value "yes" is not valid'),
        ("autostart:=maybe", 'Argument "autostart" provided value "maybe" is not valid'),
        ("workspce:=1,2,3,4,5,6", "workspce is no argument of this launch file; did you mean workspace?"),
        ("params_file:=/missing.yaml", "params_file:=/missing.yaml: /missing.yaml does not exist"),
        ("workspace:=300,-250,50,650,250,450", "give metres"),
    ],
)
def test_a_wrong_argument_ends_the_launch_before_a_node_starts(
    domain: int, tmp_path: Path, argument: str, message: str
) -> None:
    with launched(tmp_path / "launch.log", domain, *PLAN, argument) as launch:
        assert launch.process.wait(30.0) == 1
        assert message in launch.output() and "process started" not in launch.output()


def minds_sigterm(process: int) -> bool:
    """Whether a process has a handler of its own for it, as the kernel tells."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s*(\w+)$", status, re.M)[1], 16)  # type: ignore[index]
    return bool(caught & 1 << signal.SIGTERM - 1)


@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_an_early_ctrl_c_ends_every_node_in_order(domain: int, tmp_path: Path, after: float) -> None:
    """The nodes import PyTorch and MuJoCo first, which takes seconds."""
    with launched(tmp_path / "launch.log", domain, *PLAN, "sim:=true") as launch:
        launch.wait_for_output("process started with pid", 2)
        launch.wait_for(lambda: all(map(minds_sigterm, launch.nodes())))  # before that, the interpreter itself starts
        time.sleep(after)
        assert launch.interrupt() == 0
        assert launch.output().count("process has finished cleanly") == 2, launch.output()
        assert "Traceback" not in launch.output()


def test_the_nodes_of_a_launch_that_was_killed_end(domain: int, tmp_path: Path) -> None:
    with launched(tmp_path / "launch.log", domain, *PLAN, "sim:=true") as launch:
        launch.wait_for_output("warmed up")
        launch.wait_for_output("the simulated arm is ready")
        assert len(launch.nodes()) == 2
        launch.process.send_signal(signal.SIGKILL)
        launch.process.wait()
        launch.wait_for(lambda: not launch.nodes(), 15.0)


def test_the_users_file_wins_over_the_profile_and_arguments_over_all(domain: int, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "/left/mpc:\n  ros__parameters:\n    limits.linear_speed: 0.05\n    device: cuda\n    threads: 2\n"
        "    workspace.lower: [0.1, 0.1, 0.1]\n"
    )
    what = ("sim:=true", f"params_file:={mine}", "namespace:=left", "node_name:=mpc", "autostart:=false", "device:=cpu")
    box = "workspace:=0.36,-0.17,0.02,0.68,0.17,0.29"
    with launched(tmp_path / "launch.log", domain, *PLAN, *what, box) as launch, Recorder(domain, "left") as link:
        assert link.parameter("mpc", "limits.linear_speed") == 0.05
        assert (link.parameter("mpc", "device"), link.parameter("mpc", "threads")) == ("cpu", 2)
        assert list(link.parameter("mpc", "workspace.lower")) == [0.36, -0.17, 0.02]
        assert link.call(GetState, "mpc/get_state", GetState.Request()).current_state.label == "unconfigured"
        line = "/left/mpc: limits.linear_speed is 0.05 (" + str(mine) + "), not 0.3 of config/robots/sim.yaml"
        assert launch.output().count(line) == 1


def test_two_arms_are_active_and_only_the_one_with_a_goal_moves(domain: int, tmp_path: Path) -> None:
    from support.rig import goal_picture
    from vjepa_mpc.images import encode_png

    goal = tmp_path / "goal.png"
    goal.write_bytes(encode_png(goal_picture()))
    what = ("vjepa_mpc", "two_arms.launch.py", "sim:=true", f"left_goal_image:={goal}")
    with (
        launched(tmp_path / "launch.log", domain, *what) as launch,
        Recorder(domain, "left") as left,
        Recorder(domain, "right") as right,
    ):
        left.wait_for_setpoint(120.0)
        right.wait_for_status(lambda status: status.reason == "NO_GOAL", 60.0)
        assert right.stays_silent(2.0) and not right.setpoints
        assert launch.interrupt() == 0
