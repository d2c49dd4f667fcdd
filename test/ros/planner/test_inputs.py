"""Topics of the inputs: remapped as image_transport does, and described when nothing comes over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

import rclpy
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from support.rigs.loop_rig import settings
from vjepa_mpc.ros.planner.inputs import LARGE, Inputs
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros

TIMEOUT = 10.0
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
REMAPPED = ("-r", "image:=/cam/color/image_raw", "-r", "current_pose:=/arm/pose")


@pytest.fixture
def start() -> Iterator[Callable[..., Node]]:
    """Makes nodes with remappings in ROS's own notation, each as if in a process of its own."""
    domain, nodes = DomainLease().domain_id, []

    def make(name: str, *arguments: str) -> Node:
        context = Context()
        rclpy.init(context=context, domain_id=domain)
        nodes.append(Node(name, context=context, cli_args=["--ros-args", *arguments]))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
        rclpy.shutdown(context=node.context)


def explained(inputs: Inputs, reason: Reason, *parts: str) -> None:
    """Until the graph is known, and the words have these parts."""
    deadline = time.monotonic() + TIMEOUT
    decision: Any = SimpleNamespace(reason=reason, message=reason.message())
    while True:
        text = inputs.explain(decision)
        assert text.startswith(decision.message)
        if all(part in text for part in parts):
            return
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("transport", "topic"), [("raw", "/cam/color/image_raw"), ("compressed", "/cam/color/image_raw/compressed")]
)
def test_the_base_name_is_remapped_and_the_transports_name_added(
    start: Callable[..., Node], transport: str, topic: str
) -> None:
    inputs = Inputs(start("planner_node", *REMAPPED), settings(image_transport=transport))
    assert topic in {subscription.topic_name for subscription in inputs._node.subscriptions}


def test_silence_is_explained_by_the_resolved_topic(start: Callable[..., Node]) -> None:
    inputs = Inputs(start("planner_node", *REMAPPED), settings())
    explained(inputs, Reason.NO_IMAGE, "Now nobody publishes on /cam/color/image_raw.")
    explained(inputs, Reason.NO_POSE, "Now nobody publishes on /arm/pose.")
    quiet: Any = SimpleNamespace(reason=Reason.NO_GOAL, message="There is no goal.")
    assert inputs.explain(quiet) == "There is no goal."


def test_what_reasons_ask_for_is_named_so_that_it_can_be_typed(start: Callable[..., Node]) -> None:
    names = ("-r", "__ns:=/left", "-r", "__node:=mpc", "-r", "~/pause:=/left/stop")
    inputs = Inputs(start("planner_node", *names), settings())
    for reason in Reason:
        text = inputs.explain(Violation(reason))
        assert "~/" not in text and "<node>" not in text, text
        assert ("~/resume" in reason.remedy) == ("/left/mpc/resume" in text)
    assert "Call /left/stop with false, or /left/mpc/resume." in inputs.explain(Violation(Reason.PAUSED))
    assert "/left/mpc/set_goal or /left/mpc/reach_goal" in inputs.explain(Violation(Reason.NO_GOAL))
    assert "ros2 lifecycle set /left/mpc activate" in inputs.explain(Violation(Reason.NOT_ACTIVE))


@pytest.mark.parametrize(
    ("profile", "size", "named"),
    [(qos_profile_sensor_data, LARGE + 1, True), (qos_profile_sensor_data, LARGE, False), (RELIABLE, LARGE + 1, False)],
)
def test_large_pictures_that_get_lost_over_best_effort_are_named_with_what_helps(
    start: Callable[..., Node], profile: QoSProfile, size: int, named: bool
) -> None:
    start("camera").create_publisher(Image, "/cam/color/image_raw", profile)
    inputs = Inputs(start("planner_node", *REMAPPED), settings())
    explained(inputs, Reason.NO_IMAGE, "/cam/color/image_raw has 1 publisher")
    inputs._hearing.look()
    for number in (1, 9):
        gid = {"data": b"camera"}
        inputs._on_image(Image(data=bytes(size)), {"publisher_gid": gid, "publication_sequence_number": number})
    for reason in (Reason.IMAGE_SILENT, Reason.IMAGE_STALE):
        text = inputs.explain(Violation(reason))
        assert "of the newest, 2 of 9 published came" in text
        assert ("have the camera publish reliably" in text) == named
    assert inputs.images.startswith("2 of 9 published came")
    assert ("image_transport=compressed" in inputs.images) == named


def test_publishers_are_named_with_type_and_qos(start: Callable[..., Node]) -> None:
    driver = start("driver", "-r", "__ns:=/arm")
    driver.create_publisher(PoseStamped, "pose", qos_profile_sensor_data)
    inputs = Inputs(start("planner_node", *REMAPPED), settings())
    explained(
        inputs,
        Reason.NO_POSE,
        "/arm/pose has 1 publisher (/arm/driver: geometry_msgs/msg/PoseStamped, best effort, volatile).",
    )


def test_another_type_is_named_beside_the_wanted_one(start: Callable[..., Node]) -> None:
    start("driver").create_publisher(Vector3Stamped, "/arm/pose", 1)
    inputs = Inputs(start("planner_node", *REMAPPED), settings())
    explained(
        inputs, Reason.NO_POSE, "Vector3Stamped, reliable, volatile), and geometry_msgs/msg/PoseStamped is wanted"
    )


@pytest.mark.parametrize(
    ("transport", "kind", "topic", "hint"),
    [
        ("compressed", Image, "/cam/color/image_raw", "is image_transport=raw meant?"),
        ("raw", CompressedImage, "/cam/color/image_raw/compressed", "is image_transport=compressed meant?"),
    ],
)
def test_pictures_of_the_other_transport_are_pointed_at(
    start: Callable[..., Node], transport: str, kind: Any, topic: str, hint: str
) -> None:
    start("camera").create_publisher(kind, topic, 1)
    inputs = Inputs(start("planner_node", *REMAPPED), settings(image_transport=transport))
    explained(inputs, Reason.NO_IMAGE, f"{topic} has /camera: sensor_msgs/msg/{kind.__name__}", hint)
