"""Velocities instead of poses: an arm that integrates them, as servo controllers do, reaches the goal picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.qos import QoSProfile

from support.rig import DEFAULTS, GOAL, LIMITS, Recorder, Rig
from vjepa_mpc.ros.common.conversions import pose_message, seconds
from vjepa_mpc.tools.processes import NodeProcess

TWISTS = "servo_node/delta_twist_cmds"
DOWN = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def planner(domain: int, sim: NodeProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    with Rig.start_planner(log, domain, output="twist", topics__target=TWISTS) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"


class Servo:
    """Turns velocities into poses for the simulated arm; begins where the arm is after each silence."""

    def __init__(self, link: Recorder) -> None:
        self.twists: list[TwistStamped] = []
        self._link, self._position = link, np.zeros(3)
        self._out = link._node.create_publisher(PoseStamped, "target_pose", 1)
        self._in = link._node.create_subscription(TwistStamped, TWISTS, self._on_twist, QoSProfile(depth=100))

    def stop(self) -> None:
        self._link._node.destroy_subscription(self._in)
        self._link._node.destroy_publisher(self._out)

    def _on_twist(self, message: TwistStamped) -> None:
        before = seconds(self.twists[-1].header.stamp) if self.twists else -np.inf
        elapsed = seconds(message.header.stamp) - before
        linear = message.twist.linear
        if elapsed > DEFAULTS["setpoint_max_gap"]:
            self._position = self._link._view().pose[:3].copy()
        else:
            self._position = self._position + elapsed * np.array([linear.x, linear.y, linear.z])
        self.twists.append(message)
        self._out.publish(pose_message(self._position, DOWN, message.header.frame_id, message.header.stamp))


@pytest.fixture
def servo(rig: Rig, link: Recorder) -> Iterator[Servo]:
    result = Servo(link)
    yield result
    result.stop()


def test_an_arm_that_integrates_velocities_reaches_the_goal(rig: Rig, servo: Servo, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[6]).success
    rig.wait_for_reason("GOAL_FINISHED")
    rig.link.wait_until_silent()
    assert np.linalg.norm(rig.position() - GOAL[:3]) < 0.02
    last = servo.twists[-1].twist
    assert (last.linear.x, last.linear.y, last.linear.z) == (0.0, 0.0, 0.0)
    assert {message.header.frame_id for message in servo.twists} == {LIMITS["frame_id"]}
