"""What the graph tells of the planner."""

from __future__ import annotations

from rclpy.node import Node

from vjepa_mpc.ros.recorder.topics import split_name


def subscriptions_of(node: Node, full: str) -> list[tuple[str, list[str]]]:
    """The topics that a node listens to, with their types; none while it is not there.

    Args:
        node: which asks.
        full: name of the node that is looked for.
    """
    try:
        found = node.get_subscriber_names_and_types_by_node(*split_name(full))
    except RuntimeError:  # rclpy's NodeNameNonExistentError, which it keeps to itself
        return []
    return list(found)
