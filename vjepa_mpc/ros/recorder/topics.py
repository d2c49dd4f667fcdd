"""Which topics are recorded, found in the ROS graph, and with which quality of service they are heard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vjepa_mpc.ros.common.graph import is_latched, is_reliable

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
# What nodes say of themselves; parameter changes, and what the log shows.
COMMON = {
    "/parameter_events": "rcl_interfaces/msg/ParameterEvent",
    "/rosout": "rcl_interfaces/msg/Log",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
# What the planner makes for eyes only, and only while somebody looks: it costs the planner time, and a recording has
# what it can be made from.
SHOWN = ("markers", "plan", "energies", "imagination", "surprise", "surprise_values")
MOST_WAITING = 100  # messages of a topic
_POLICIES = ("reliability", "durability", "history", "liveliness")


def split_name(full: str) -> tuple[str, str]:
    """A node's name and its namespace: ("planner_node", "/left")."""
    namespace, _, name = full.rpartition("/")
    return name, namespace or "/"


def full_name(name: str, namespace: str) -> str:
    """A node's name with the namespace that counts when it has none of its own."""
    return name if name.startswith("/") else f"{namespace.rstrip('/')}/{name}"


def exists(node: Node, full: str) -> bool:
    """Whether a node is there."""
    return split_name(full) in node.get_node_names_and_namespaces()


def topics_of(node: Node, full: str) -> dict[str, str]:
    """The topics that a node subscribes to or publishes on, with their types; none of a node that is not there.

    Hidden ones, as of actions, and those that are made for eyes only are left out.
    """
    name, namespace = split_name(full)
    try:
        found = [
            *node.get_subscriber_names_and_types_by_node(name, namespace),
            *node.get_publisher_names_and_types_by_node(name, namespace),
        ]
    except RuntimeError:  # rclpy's NodeNameNonExistentError: it has ended since it was seen
        return {}
    shown = {f"{full}/{topic}" for topic in SHOWN}
    return {topic: types[0] for topic, types in found if len(types) == 1 and "/_" not in topic and topic not in shown}


def typed(node: Node, topics: Iterable[str]) -> dict[str, str]:
    """Those of the topics that somebody publishes on, with their types."""
    infos = {topic: node.get_publishers_info_by_topic(topic) for topic in topics}
    return {topic: found[0].topic_type for topic, found in infos.items() if found}


def profile_for(infos: Iterable[Any]) -> QoSProfile:
    """What matches every publisher of a topic: as reliable, and as much of the past, as all of them offer.

    Args:
        infos: of the publishers, from ``get_publishers_info_by_topic``.
    """
    found = list(infos)
    reliable, latched = all(map(is_reliable, found)), all(map(is_latched, found))
    return QoSProfile(
        depth=MOST_WAITING,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def offered(infos: Iterable[Any]) -> list[dict[str, Any]]:
    """The publishers' quality of service as it stands in a bag."""
    return [_plain(info.qos_profile) for info in infos]


def _plain(profile: QoSProfile) -> dict[str, Any]:
    def duration(value: Any) -> dict[str, int]:
        seconds, nanoseconds = divmod(value.nanoseconds, 10**9)
        return {"sec": seconds, "nsec": nanoseconds}

    return {
        **{name: getattr(profile, name).name.lower() for name in _POLICIES},
        "depth": profile.depth,
        **{name: duration(getattr(profile, name)) for name in ("deadline", "lifespan", "liveliness_lease_duration")},
        "avoid_ros_namespace_conventions": profile.avoid_ros_namespace_conventions,
    }
