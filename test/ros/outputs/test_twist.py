"""Velocities for servo controllers: the same motion as with poses, zeros before silence, the profile's frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from geometry_msgs.msg import TwistStamped

from support.rigs.loop_rig import START, profile, running, settings
from vjepa_mpc.ros.common.conversions import seconds
from vjepa_mpc.ros.parameters.settings import Settings

pytestmark = pytest.mark.ros

FAR = START + np.array([0.15, 0.12, 0.05])  # several steps away
STEPS = 10


def servo(**values: Any) -> Settings:
    """The profile panda_servo, with this test's finger joint."""
    given = {name.replace(".", "__"): value for name, value in profile("panda_servo").items()}
    ours = {"gripper_joint": "finger", "preset": "cpu", "gripper_output": "commands"}
    return settings(**given | ours | values)


def linear(messages: list[TwistStamped]) -> np.ndarray:
    return np.array([[m.twist.linear.x, m.twist.linear.y, m.twist.linear.z] for m in messages])


def angular(messages: list[TwistStamped]) -> np.ndarray:
    return np.array([[m.twist.angular.x, m.twist.angular.y, m.twist.angular.z] for m in messages])


def test_twists_add_up_to_the_motion_and_end_in_zero() -> None:
    built = servo()
    with running(built) as rig:
        rig.set_goal(FAR, steps=STEPS)
        rig.wait_for("GOAL_FINISHED")
        rig.loop.wait_silent()
    sent = rig.target.messages
    assert rig.target.topic_name == "servo_node/delta_twist_cmds"
    assert {message.header.frame_id for message in sent} == {"panda_link0"}
    velocities, times = linear(sent), np.array([seconds(message.header.stamp) for message in sent])
    np.testing.assert_allclose(velocities[-1], 0.0, atol=0.0)
    np.testing.assert_allclose(angular(sent), 0.0, atol=1e-6)
    # Each velocity led from the set-point before it, whose distance in time jitters with the scheduler.
    moved = (velocities[1:] * np.diff(times)[:, None]).sum(axis=0)
    np.testing.assert_allclose(moved, FAR - START, atol=0.02)
    np.testing.assert_allclose(rig.position, FAR, atol=0.01)
    assert np.linalg.norm(velocities, axis=1).max() <= built.limits.linear_speed * 1.001
    changes = np.linalg.norm(np.diff(velocities, axis=0), axis=1)
    assert changes.max() <= built.limits.linear_acceleration * built.motion.setpoints.max_gap


@pytest.mark.parametrize("obedience", [0.8, 1.1])
def test_what_the_arm_does_not_follow_is_made_up_for(obedience: float) -> None:
    with running(servo(), obedience=obedience) as rig:
        rig.set_goal(FAR, steps=STEPS)
        rig.wait_for("GOAL_FINISHED")
    np.testing.assert_allclose(rig.position, FAR, atol=0.01)


def test_a_hold_ends_in_zero_velocity() -> None:
    with running(servo()) as rig:
        rig.set_goal(FAR, steps=STEPS)
        rig.wait_until(lambda: np.linalg.norm(rig.velocity) > 0.1)
        rig.loop.call(rig.loop.pause)
        rig.loop.wait_silent()
    np.testing.assert_allclose(linear(rig.target.messages)[-1], 0.0, atol=0.0)
    np.testing.assert_array_equal(rig.velocity, 0.0)
    assert np.linalg.norm(FAR - rig.position) > 0.05  # it was on its way
