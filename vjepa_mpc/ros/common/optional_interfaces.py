"""Interface types of packages that not every installation has, asked for only where a parameter needs them."""

from __future__ import annotations

import importlib
import os
from typing import Any

_OR_NOT = "or do without it"


class MissingInterfaceError(RuntimeError):
    """A parameter asks for a type whose package is not installed; the message says which and how to get it."""


def gripper_command() -> Any:
    """The action type ``control_msgs/action/GripperCommand``.

    Raises:
        MissingInterfaceError: control_msgs is not installed.
    """
    remedy = "or use gripper_output:=commands"
    return _type("control_msgs.action", "GripperCommand", "gripper_output=action", remedy)


def franka_robot_state() -> Any:
    """The message type ``franka_msgs/msg/FrankaRobotState``.

    Raises:
        MissingInterfaceError: franka_msgs is not installed.
    """
    remedy = "or build franka_ros2 from source, or leave topics.robot_state empty"
    return _type("franka_msgs.msg", "FrankaRobotState", "topics.robot_state", remedy)


def marker() -> Any:
    """The message type ``visualization_msgs/Marker``.

    Raises:
        MissingInterfaceError: visualization_msgs is not installed.
    """
    return _type("visualization_msgs.msg", "Marker", "the topic ~/markers", _OR_NOT)


def marker_array() -> Any:
    """The message type ``visualization_msgs/MarkerArray``.

    Raises:
        MissingInterfaceError: visualization_msgs is not installed.
    """
    return _type("visualization_msgs.msg", "MarkerArray", "the topic ~/markers", _OR_NOT)


def path() -> Any:
    """The message type ``nav_msgs/Path``.

    Raises:
        MissingInterfaceError: nav_msgs is not installed.
    """
    return _type("nav_msgs.msg", "Path", "the topic ~/plan", _OR_NOT)


def _type(module: str, name: str, wanted_by: str, remedy: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        package = module.split(".", maxsplit=1)[0]
        apt = f"ros-{os.environ.get('ROS_DISTRO', '$ROS_DISTRO')}-{package.replace('_', '-')}"
        raise MissingInterfaceError(
            f"{wanted_by} needs {package}/{name}, which is not installed ({error}): apt install {apt}, {remedy}"
        ) from error
