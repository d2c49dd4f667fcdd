"""~/motion_allowed: every publisher is heard, has a word of its own, and keeps it until it says another."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

from support.rigs.nodes import Nodes, nodes
from vjepa_mpc.ros.common.hearing import Hearing
from vjepa_mpc.ros.planner.permission import Permissions

pytestmark = pytest.mark.ros

TOPIC = "/planner_node/motion_allowed"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def start() -> Iterator[Nodes]:
    with nodes() as made:
        yield made


def publish(node: Node, allowed: bool, profile: QoSProfile = LATCHED) -> Any:
    publisher = node.create_publisher(Bool, TOPIC, profile)
    publisher.publish(Bool(data=allowed))
    return publisher


def words(permissions: Permissions) -> dict[str, bool]:
    return {voice.who: voice.allowed for voice in permissions.voices}


def planner(start: Nodes) -> Permissions:
    return Permissions(Hearing(start("planner_node")), "~/motion_allowed")


def test_a_latched_no_from_before_the_start_is_heard(start: Nodes) -> None:
    publish(start("curtain"), False)
    permissions = planner(start)
    assert start.spin_until(lambda: words(permissions) == {"/curtain": False}), words(permissions)


def test_a_best_effort_no_is_heard(start: Nodes) -> None:
    permissions = planner(start)
    publisher = publish(start("curtain"), False, BEST_EFFORT)

    def heard() -> bool:
        publisher.publish(Bool(data=False))  # one may be lost while both find each other
        return words(permissions) == {"/curtain": False}

    assert start.spin_until(heard), words(permissions)


def test_one_publisher_s_yes_does_not_take_back_another_s_no(start: Nodes) -> None:
    permissions = planner(start)
    publish(start("curtain"), False)
    driver = publish(start("driver"), True)
    both = {"/curtain": False, "/driver": True}
    assert start.spin_until(lambda: words(permissions) == both), words(permissions)
    driver.publish(Bool(data=True))
    start.spin_until(lambda: False, timeout=0.3)
    assert words(permissions) == both


def test_a_publisher_that_has_gone_keeps_its_word_until_its_node_speaks_again(start: Nodes) -> None:
    permissions = planner(start)
    curtain = start("curtain")
    publish(curtain, False)
    assert start.spin_until(lambda: words(permissions) == {"/curtain": False})
    start.end(curtain)
    assert start.spin_until(lambda: words(permissions) == {"/curtain, which is gone": False}), words(permissions)
    publish(start("curtain"), True)
    assert start.spin_until(lambda: words(permissions) == {"/curtain": True}), words(permissions)


def test_activation_forgets_whoever_has_gone_and_nobody_else(start: Nodes) -> None:
    permissions = planner(start)
    curtain = start("curtain")
    publish(curtain, False)
    publish(start("driver"), False)
    assert start.spin_until(lambda: len(words(permissions)) == 2)
    start.end(curtain)
    assert start.spin_until(lambda: "/curtain, which is gone" in words(permissions))
    permissions.forget_gone()
    assert words(permissions) == {"/driver": False}


def test_the_command_line_is_one_voice_whatever_its_node_is_called(start: Nodes) -> None:
    permissions = planner(start)
    first = start("_ros2cli_1")
    publish(first, False)
    assert start.spin_until(lambda: words(permissions) == {"the command line": False}), words(permissions)
    start.end(first)
    publish(start("_ros2cli_2"), True)
    assert start.spin_until(lambda: words(permissions) == {"the command line": True}), words(permissions)


class Untold:
    """Listening as before Kilted: nothing tells publishers apart."""

    def __init__(self, count: int) -> None:
        infos = [
            SimpleNamespace(endpoint_gid=[number] * 16, node_name="n", node_namespace="/") for number in range(count)
        ]
        self.topic = SimpleNamespace(publishers=tuple(infos), see=lambda: None, name=TOPIC)

    def listen(self, kind: Any, topic: str, callback: Any, **_: Any) -> Any:
        self.say = lambda allowed, sent=0: callback(Bool(data=allowed), {"source_timestamp": sent})
        return self.topic


def test_where_publishers_cannot_be_told_apart_a_no_stays_while_there_are_several() -> None:
    hearing = Untold(count=2)
    permissions = Permissions(hearing, TOPIC)
    for allowed in (True, False, True):
        hearing.say(allowed)
    (voice,) = permissions.voices
    assert not voice.allowed and "one of its 2 publishers" in voice.who
    hearing.topic.publishers = hearing.topic.publishers[:1]
    hearing.say(True)
    assert [voice.allowed for voice in permissions.voices] == [True]


def test_an_older_word_that_comes_later_does_not_count() -> None:
    hearing = Untold(count=1)
    permissions = Permissions(hearing, TOPIC)
    hearing.say(False, sent=2)
    hearing.say(True, sent=1)
    assert [voice.allowed for voice in permissions.voices] == [False]
