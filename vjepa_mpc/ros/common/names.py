"""Names of nodes, topics and services, checked where a user gives them."""

from __future__ import annotations

import argparse

from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name


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
