"""What the ROS graph tells about a topic, in words."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy


def publishers_of(node: Node, topic: str) -> str:
    """Who publishes on a topic, with which type and QoS; "" when nobody does."""
    return ", ".join(_endpoint(info) for info in node.get_publishers_info_by_topic(topic))


def subscribers_of(node: Node, topic: str) -> str:
    """Who subscribes to a topic, with which type and QoS; "" when nobody does."""
    return ", ".join(_endpoint(info) for info in node.get_subscriptions_info_by_topic(topic))


def describe_topic(node: Node, topic: str, wanted: str) -> str:
    """Who publishes on a topic that nothing has come over.

    Args:
        node: which looks.
        topic: resolved name.
        wanted: message type that the node subscribes to, such as "sensor_msgs/msg/Image".
    """
    infos = node.get_publishers_info_by_topic(topic)
    if not infos:
        return f"nobody publishes on {topic}"
    others = [info for info in infos if info.topic_type != wanted]
    mismatch = f", and {wanted} is wanted" if others else ""
    count = f"{len(infos)} publisher{'s' if len(infos) > 1 else ''}"
    return f"{topic} has {count} ({publishers_of(node, topic)}){mismatch}"


def is_named(info: Any) -> bool:
    """Whether the graph tells a publisher's node yet; that comes a little later than the publisher itself."""
    return bool(info.node_name != "_NODE_NAME_UNKNOWN_")


def name_of(info: Any) -> str:
    """The full name of a publisher's node."""
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}" if is_named(info) else "an unknown node"


def is_reliable(info: Any) -> bool:
    """Whether a publisher offers to send again what gets lost."""
    return bool(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE)


def is_latched(info: Any) -> bool:
    """Whether a publisher gives what it said last to whoever comes late."""
    return bool(info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL)


def _endpoint(info: Any) -> str:
    durability = "transient local" if is_latched(info) else "volatile"
    qos = f"{'reliable' if is_reliable(info) else 'best effort'}, {durability}"
    return f"{name_of(info)}: {info.topic_type}, {qos}"
