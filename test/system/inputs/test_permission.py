"""~/motion_allowed of real processes: whoever says no is heard, and so is a topic of another type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, String
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, Recorder, Rig
from vjepa_mpc.tools.processes import NodeProcess

TOPIC = "planner_node/motion_allowed"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture(scope="module")
def gate(link: Recorder) -> Any:
    """Publishes before the planner is there, and latches."""
    result = link.publisher(Bool, TOPIC, LATCHED)
    result.publish(Bool(data=False))
    return result


@pytest.fixture(scope="module")
def planner(domain: int, link: Recorder, gate: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    link.forget_planner()
    with Rig.start_planner(log, domain, **FAST) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"


def test_a_no_from_before_the_start_is_heard_and_so_are_best_effort_ones(
    rig: Rig, gate: Any, picture: np.ndarray
) -> None:
    assert rig.request([picture], steps=[1000]).success
    held = rig.wait_for_reason("MOTION_NOT_ALLOWED")
    assert "/planner_node/motion_allowed is false, says /demo" in held.message
    assert rig.link.stays_silent(2.0), "the arm was moved though a latched false stands"
    gate.publish(Bool(data=True))
    rig.wait_for_state(PlanStatus.EXECUTING)
    other = rig.link.publisher(Bool, TOPIC, BEST_EFFORT)
    rig.link.publish_until(other, Bool(data=False), lambda status: status.reason == "MOTION_NOT_ALLOWED")
    rig.link.wait_until_silent()
    gate.publish(Bool(data=True))
    assert rig.link.stays_silent(2.0), "one publisher's true took back the other's false"
    rig.link.publish_until(other, Bool(data=True), lambda status: status.state == PlanStatus.EXECUTING)
    rig.link.destroy_publisher(other)


def test_a_publisher_of_another_type_holds_and_is_named(rig: Rig, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[1000]).success
    rig.wait_for_state(PlanStatus.EXECUTING)
    stranger = rig.link.publisher(String, "planner_node/proposals")
    held = rig.wait_for_reason("INPUT_WRONG_TYPE")
    for part in ("/planner_node/proposals has std_msgs/msg/String from", "std_msgs/msg/Float64MultiArray is wanted"):
        assert part in held.message
    rig.link.destroy_publisher(stranger)
    rig.wait_for_state(PlanStatus.EXECUTING)
