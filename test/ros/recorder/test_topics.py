"""What is recorded, and with which quality of service it is heard."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vjepa_mpc.ros.recorder import topics
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
LATCHED, VOLATILE = DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE


def publisher(reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> SimpleNamespace:
    return SimpleNamespace(qos_profile=QoSProfile(depth=1, reliability=reliability, durability=durability))


@pytest.mark.parametrize(
    ("offers", "heard"),
    [
        ([(RELIABLE, LATCHED)], (RELIABLE, LATCHED)),
        ([(BEST_EFFORT, VOLATILE)], (BEST_EFFORT, VOLATILE)),
        ([(RELIABLE, LATCHED), (BEST_EFFORT, LATCHED)], (BEST_EFFORT, LATCHED)),
        ([(RELIABLE, LATCHED), (RELIABLE, VOLATILE)], (RELIABLE, VOLATILE)),
    ],
)
def test_every_publisher_is_heard(offers: list[tuple], heard: tuple) -> None:
    profile = topics.profile_for([publisher(*offer) for offer in offers])
    assert (profile.reliability, profile.durability) == heard


@pytest.mark.parametrize(
    ("name", "namespace", "full"),
    [
        ("planner_node", "/", "/planner_node"),
        ("planner_node", "/left", "/left/planner_node"),
        ("/right/planner_node", "/left", "/right/planner_node"),
    ],
)
def test_names(name: str, namespace: str, full: str) -> None:
    assert topics.full_name(name, namespace) == full
    own, where = topics.split_name(full)
    assert topics.full_name(own, where) == full


def test_offered_profiles_stand_as_in_rosbag2() -> None:
    (plain,) = topics.offered([publisher(RELIABLE, LATCHED)])
    assert plain["reliability"] == "reliable" and plain["durability"] == "transient_local"
    assert plain["history"] == "keep_last" and plain["depth"] == 1
    assert set(plain["deadline"]) == {"sec", "nsec"}


def test_a_node_that_has_ended_meanwhile_has_no_topics() -> None:
    context = Context()
    rclpy.init(context=context, domain_id=DomainLease().domain_id)
    node = rclpy.create_node("asking", context=context)
    try:
        assert topics.topics_of(node, "/gone/planner_node") == {}
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
