"""teach_workspace: the box around what the arm was shown, and the refusals."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vjepa_mpc.ros.launching.files import workspace
from vjepa_mpc.ros.teach_workspace.box import MeasuredBox

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context

from vjepa_mpc.tools.processes import DomainLease, local_environment

pytestmark = pytest.mark.ros
HALF = np.array([0.1, 0.2, 0.05])
CENTRE = np.array([0.5, 0.0, 0.3])


def box_of(*positions: Any) -> MeasuredBox:
    box = MeasuredBox()
    for position in positions:
        box.add(np.array(position, dtype=float))
    return box


def test_the_box_holds_every_position_but_the_first() -> None:
    box = box_of((0.5, 0.0, 0.3), (0.53, -0.03, 0.28), (0.5, 0.02, 0.33)).box()
    assert (box.lower, box.upper) == ((0.5, -0.03, 0.28), (0.53, 0.02, 0.33))


def test_a_single_faulty_position_does_not_count() -> None:
    box = box_of((0.5, 0, 0.3), (0.53, 0.03, 0.33), (2.0, 2.0, 2.0), (0.5, 0, 0.3), (0.5, 0, 0.3))
    assert box.upper.tolist() == [0.53, 0.03, 0.33]


@pytest.mark.parametrize(("position", "message"), [((math.nan, 0, 0), "not finite"), ((500, 0, 300), "in metres")])
def test_what_is_no_position_is_refused(position: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        box_of(position)


def test_a_flat_box_is_refused_with_the_axis() -> None:
    with pytest.raises(ValueError, match=r"along z the arm was moved by 0\.0 cm only.* all corners"):
        box_of((0.5, 0.0, 0.3), (0.53, 0.03, 0.3), (0.5, 0.0, 0.3)).box()
    with pytest.raises(ValueError, match="no position was measured"):
        MeasuredBox().box()


# -- the executable --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def domain() -> int:
    return DomainLease().domain_id


@contextmanager
def hand_guided_arm(domain: int, frame: str) -> Iterator[None]:
    """Publishes poses that run through the box around CENTRE."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node("arm", context=context)
    publisher = node.create_publisher(PoseStamped, "current_pose", 10)
    done = threading.Event()

    def publish() -> None:
        angle = 0.0
        while not done.wait(0.01):
            angle += 0.1
            message = PoseStamped()
            message.header.frame_id = frame
            point = CENTRE + HALF * (math.sin(angle), math.cos(angle), math.sin(angle))
            message.pose.position.x, message.pose.position.y, message.pose.position.z = map(float, point)
            message.pose.orientation.w = 1.0
            publisher.publish(message)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    done.set()
    thread.join()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def teach(domain: int, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs the executable until its box is complete, or it ends by itself; exit status and output."""

    def run(*arguments: str, until: str = "nothing") -> tuple[int, str]:
        command = [sys.executable, "-u", "-m", "vjepa_mpc.ros.teach_workspace.node", *arguments]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=local_environment(domain),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if until in line:
                process.send_signal(signal.SIGINT)
        return process.wait(20.0), said

    return run


def test_the_measured_box_is_what_workspace_takes(
    domain: int, teach: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    with hand_guided_arm(domain, "base"):
        status, said = teach("--robot", "fr3_crisp", until="y -0.200 to +0.200")
    assert status == 0, said
    assert "plan.launch.py robot:=fr3_crisp workspace:=workspace.yaml" in said
    measured = workspace(str(tmp_path / "workspace.yaml"))
    np.testing.assert_allclose(measured["workspace.lower"], CENTRE - HALF, atol=0.002)
    np.testing.assert_allclose(measured["workspace.upper"], CENTRE + HALF, atol=0.002)


def test_poses_in_another_frame_are_named_and_nothing_is_written(
    domain: int, teach: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    with hand_guided_arm(domain, "world"):
        status, said = teach("--robot", "fr3_crisp", until="frame 'world', not in 'base'")
    assert status == 1 and "not written" in said
    assert not (tmp_path / "workspace.yaml").exists()


def test_silence_names_the_topic_and_the_remedy(teach: Callable[..., tuple[int, str]]) -> None:
    status, said = teach("--robot", "panda_servo", "--timeout", "0.5")
    assert status == 1
    assert "/franka_robot_state_broadcaster/current_pose" in said and "publishers there: none" in said


def test_an_unknown_profile_is_refused(teach: Callable[..., tuple[int, str]]) -> None:
    status, said = teach("--robot", "fr3_crips")
    assert status == 2 and "did you mean fr3_crisp" in said
