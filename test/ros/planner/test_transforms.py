"""Poses in another frame are looked up in tf2, and why they cannot be has a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from geometry_msgs.msg import PoseStamped, TransformStamped

from support.rigs.loop_rig import FakeNode, settings
from support.stand_ins import tf2_ros
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.ros.common.conversions import pose_message
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.safety.guards.interface import Scene
from vjepa_mpc.safety.guards.pose import PoseGuard
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now

pytestmark = pytest.mark.ros

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
STAMP = 5.0  # seconds
QUARTER = np.sqrt(0.5)  # of a turn about z


@pytest.fixture
def inputs() -> Inputs:
    return Inputs(FakeNode(), settings())  # type: ignore[arg-type]


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)
    yield
    tf2_ros.KNOWN.clear()


def pose(frame: str) -> PoseStamped:
    message = pose_message(np.array([0.1, 0.5, 0.3]), DOWN, frame, PoseStamped().header.stamp)
    message.header.stamp.sec = int(STAMP)
    return message


def reason(inputs: Inputs) -> tuple[Reason | None, str]:
    """What the guard says of the newest pose."""
    box = WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5))
    guard = PoseGuard(PoseGuard.Options(frame_id="base", workspace=box), Scene())
    assert inputs.pose is not None
    guard.observe(inputs.pose)
    violation = guard.check(Now(ros=STAMP, steady=inputs.pose.received))
    return (None, "") if violation is None else (violation.reason, violation.message)


def receive(inputs: Inputs, message: PoseStamped) -> None:
    inputs._node.receive("current_pose", message)  # type: ignore[attr-defined]


def test_a_pose_is_turned_into_the_base_frame(inputs: Inputs, tf2: None) -> None:
    known = TransformStamped()
    known.transform.translation.x = 1.0
    known.transform.rotation.z = known.transform.rotation.w = float(QUARTER)
    tf2_ros.KNOWN["base", "world"] = known
    receive(inputs, pose("world"))
    assert inputs.pose is not None and inputs.pose.frame_id == "base"
    np.testing.assert_allclose(inputs.pose.position, [0.5, 0.1, 0.3], atol=1e-12)
    np.testing.assert_allclose(inputs.pose.quaternion, [QUARTER, QUARTER, 0.0, 0.0], atol=1e-12)
    assert reason(inputs) == (None, "")


def test_a_transform_that_is_not_there_is_named(inputs: Inputs, tf2: None) -> None:
    receive(inputs, pose("world"))
    why, words = reason(inputs)
    assert why is Reason.POSE_NO_TRANSFORM
    assert "'world'" in words and "'base'" in words and "does not exist" in words


def test_a_pose_in_the_base_frame_asks_nobody(inputs: Inputs, tf2: None) -> None:
    receive(inputs, pose("base"))
    assert inputs.pose is not None and inputs.pose.position.tolist() == [0.1, 0.5, 0.3]


@pytest.mark.usefixtures("tf2")
def test_a_pose_without_a_frame_is_not_looked_up(inputs: Inputs) -> None:
    receive(inputs, pose(""))
    assert reason(inputs)[0] is Reason.POSE_WRONG_FRAME


def test_without_tf2_the_frame_is_named(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    receive(inputs, pose("world"))
    why, words = reason(inputs)
    assert why is Reason.POSE_WRONG_FRAME and "tf2_ros" in words
