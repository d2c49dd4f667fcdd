"""Subscriptions follow their publishers' QoS, and what cannot be heard is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, String

from support.rigs.nodes import Nodes, nodes
from vjepa_mpc.ros.common.arrivals import WINDOW, Arrivals
from vjepa_mpc.ros.common.hearing import Hearing

pytestmark = pytest.mark.ros

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED_BEST_EFFORT = QoSProfile(
    depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.BEST_EFFORT
)


@pytest.fixture
def start() -> Iterator[Nodes]:
    with nodes() as made:
        yield made


def offered(node: Any, topic: str = "/input") -> list[ReliabilityPolicy]:
    """What a node's subscriptions to the topic ask for."""
    return [each.qos_profile.reliability for each in node.subscriptions if each.topic_name == topic]


def test_the_subscription_is_as_reliable_as_its_publishers_and_follows_them(start: Nodes) -> None:
    node, heard = start("listener"), []
    topic = Hearing(node).listen(Bool, "input", lambda message, _: heard.append(message.data))
    assert offered(node) == [ReliabilityPolicy.BEST_EFFORT]
    publisher = start("driver").create_publisher(Bool, "input", RELIABLE)
    assert start.spin_until(lambda: topic.reliable)
    assert offered(node) == [ReliabilityPolicy.RELIABLE]
    start("other_driver").create_publisher(Bool, "input", BEST_EFFORT)
    assert start.spin_until(lambda: not topic.reliable)
    assert offered(node) == [ReliabilityPolicy.BEST_EFFORT]
    start.spin_until(lambda: publisher.get_subscription_count() == 1)
    publisher.publish(Bool(data=True))
    assert start.spin_until(lambda: heard)


def test_publishers_are_followed_while_simulated_time_stands_still(start: Nodes) -> None:
    node = start("listener", "-p", "use_sim_time:=true")
    topic = Hearing(node).listen(Bool, "input", lambda *_: None)
    start("driver").create_publisher(Bool, "input", RELIABLE)
    assert start.spin_until(lambda: topic.reliable), "its timer waits for /clock"


def test_a_subscription_that_has_heard_nobody_stays(start: Nodes) -> None:
    node = start("listener")
    hearing = Hearing(node)
    hearing.listen(Bool, "input", lambda *_: None)
    (before,) = list(node.subscriptions)[-1:]
    hearing.look()
    assert before in node.subscriptions


@pytest.mark.parametrize("profile", [BEST_EFFORT, RELIABLE, LATCHED, LATCHED_BEST_EFFORT])
def test_what_may_not_be_missed_is_heard_from_any_publisher(start: Nodes, profile: QoSProfile) -> None:
    node, heard = start("listener"), []
    Hearing(node).listen(Bool, "input", lambda message, _: heard.append(message.data), everything=True)
    publisher = start("driver").create_publisher(Bool, "input", profile)
    assert start.spin_until(lambda: publisher.get_subscription_count() > 0)

    def said() -> bool:
        publisher.publish(Bool(data=True))  # what is best effort may be lost while both find each other
        return bool(heard)

    assert start.spin_until(said)


def test_latched_words_of_several_publishers_from_before_are_all_heard(start: Nodes) -> None:
    values = {True, False}
    for value in values:
        start(f"driver_{value}".lower()).create_publisher(Bool, "input", LATCHED).publish(Bool(data=value))
    node, heard = start("listener"), set()
    Hearing(node).listen(Bool, "input", lambda message, _: heard.add(message.data), everything=True)
    assert start.spin_until(lambda: heard == values), heard


def test_another_type_is_named_until_it_is_gone(start: Nodes) -> None:
    hearing = Hearing(start("listener"))
    hearing.listen(Bool, "input", lambda *_: None)
    driver = start("driver", "-r", "__ns:=/arm")
    driver.create_publisher(String, "/input", 1)
    assert start.spin_until(lambda: "/arm/driver" in hearing.unheard), hearing.unheard
    assert hearing.unheard == "/input has std_msgs/msg/String from /arm/driver, and std_msgs/msg/Bool is wanted"
    start.end(driver)
    assert start.spin_until(lambda: not hearing.unheard)


def test_nothing_is_left_when_listening_ends(start: Nodes) -> None:
    node = start("listener")
    hearing, before = Hearing(node), len(list(node.subscriptions))
    hearing.listen(Bool, "input", lambda *_: None, everything=True)
    hearing.destroy()
    assert len(list(node.subscriptions)) == before and not list(node.timers)


def numbered(number: int | None, publisher: int = 1) -> dict[str, Any]:
    return {"publisher_gid": {"data": bytes([publisher])}, "publication_sequence_number": number}


def test_what_arrives_is_counted_against_what_is_published() -> None:
    arrivals = Arrivals()
    assert arrivals.summary == "" and arrivals.share is None
    for second, number in enumerate((5, 8, 14)):
        arrivals.came(float(second), 2_000_000, numbered(number))
    assert arrivals.summary == "3 of 10 published came in 2.0 s, 2 MB each"
    assert arrivals.share == pytest.approx(0.3)


def test_what_is_long_ago_or_of_another_publisher_does_not_count() -> None:
    arrivals = Arrivals()
    for at, number in ((0.0, 1), (WINDOW + 1.0, 99), (WINDOW + 2.0, 100)):
        arrivals.came(at, 10, numbered(number))
    assert arrivals.share == 1.0
    arrivals.came(WINDOW + 3.0, 10, numbered(200, publisher=2))
    assert arrivals.share is None
    arrivals.came(WINDOW + 4.0, 10, numbered(1, publisher=2))
    assert arrivals.share is None, "its numbers begin anew"


def test_without_numbers_what_was_published_is_unknown_and_not_made_up() -> None:
    arrivals = Arrivals()
    for at in range(3):
        arrivals.came(float(at), 500_000, {})
    assert arrivals.share is None and arrivals.summary == "3 came in 2.0 s, 0.5 MB each"
