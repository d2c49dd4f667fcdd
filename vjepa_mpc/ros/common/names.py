"""Names of nodes, topics and services: checked where a user gives them, and in full where a user reads them."""

from __future__ import annotations

import argparse
import re

from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.validate_topic_name import validate_topic_name

PRIVATE = re.compile(r"(?<![\w:=/])~/\w+(?:/\w+)*")  # as in "call ~/resume"; not a path in "checkpoint:=~/a.pt"
NODE = "<node>"  # stands for a node's name in what rooms without ROS say


def in_full(text: str, node: Node) -> str:
    """Words for people with a node's own services and actions by names that can be typed into a shell.

    What rooms without ROS say has ``~/resume``, which the shell would take for a file in the home folder, and
    ``<node>``; this makes them ``/left/planner_node/resume``, or what that is remapped to, and ``/left/planner_node``.
    """
    named = PRIVATE.sub(lambda found: node.resolve_service_name(found[0]), text)
    return named.replace(NODE, node.get_fully_qualified_name()) if NODE in named else named


def check_name(text: str, option: str = "") -> str:
    """A name as ROS allows it for topics, relative or not.

    Raises:
        ValueError: it is none.
    """
    try:
        validate_topic_name(text)
    except InvalidTopicNameException as error:
        rule = str(error).partition(":\n")[0].removeprefix("Invalid topic name: topic name ")
        raise ValueError(
            f"{option}{text!r} is no name that ROS allows: it {rule}; write it as in camera/image or /left/planner_node"
        ) from error
    return text


def ros_name(text: str) -> str:
    """The same for ``type=`` of argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
