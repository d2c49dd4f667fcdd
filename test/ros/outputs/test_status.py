"""~/status is latched: whoever comes late learns the present state, and nothing of those before."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

import rclpy
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from vjepa_mpc.msg import PlanStatus

from support.rigs.loop_rig import settings
from vjepa_mpc.ros.outputs.publishers import Outputs
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.supervisor import Decision
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros

TIMEOUT, QUIET = 10.0, 0.5  # seconds


def decision(state: State, reason: Reason) -> Decision:
    return Decision(
        state=state,
        reason=reason,
        message=reason.message(),
        may_plan=False,
        may_move=False,
        engaged=False,
        epoch=0,
        measured=None,
    )


def received(node: Any, depth: int) -> list[str]:
    """The reasons that a subscriber who comes now gets."""
    reasons: list[str] = []
    latched = QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(PlanStatus, "~/status", lambda message: reasons.append(message.reason), latched)
    deadline = time.monotonic() + TIMEOUT
    while not reasons:
        assert time.monotonic() < deadline, "no status came"
        rclpy.spin_once(node, timeout_sec=0.05)
    deadline = time.monotonic() + QUIET
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    return reasons


def test_late_subscribers_get_the_newest_status_only() -> None:
    rclpy.init(domain_id=DomainLease().domain_id)
    node = LifecycleNode("planner_node")
    try:
        outputs = Outputs(node, settings())
        outputs.status(decision(State.IDLE, Reason.NOT_ACTIVE), 0, None)
        outputs.status(decision(State.IDLE, Reason.NO_GOAL), 0, None)
        assert received(node, depth=10) == ["NO_GOAL"]
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
