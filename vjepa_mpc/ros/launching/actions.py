"""What both launch files do with launch itself: declare, read, refuse, and start a node with its parameters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.launch_context import LaunchContext  # of this name the checkout has a folder, which mypy takes for it
from launch.logging import get_logger
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vjepa_mpc.ros.common.launch_watch import environment
from vjepa_mpc.ros.launching import layers
from vjepa_mpc.ros.launching.arguments import Argument, is_true, misspelt_names, port, unknown_names
from vjepa_mpc.ros.launching.layers import Layer

SHARE = Path(get_package_share_directory("vjepa_mpc"))
CONFIG = SHARE / "config"


def declarations(arguments: Iterable[Argument]) -> list[DeclareLaunchArgument]:
    """The arguments, for `ros2 launch ... --show-args` and for includes."""
    return [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.text,
            choices=list(argument.choices) or None,
        )
        for argument in arguments
    ]


def values_of(context: LaunchContext, arguments: Sequence[Argument], launch_file: str) -> dict[str, str]:
    """What the arguments are.

    launch itself takes arguments that nobody declared without a word. On the command line they are refused here. A
    launch file that includes ours may have others of its own, so that only what looks misspelt is warned of.

    Raises:
        ValueError: the command line has an argument that there is not.
    """
    known = [argument.name for argument in arguments]
    if any(Path(word).name == launch_file for word in sys.argv):
        wrong = unknown_names((word.partition(":=")[0] for word in context.argv if ":=" in word), known)
        if wrong:
            raise ValueError("; ".join(wrong))
    for sentence in misspelt_names(context.launch_configurations, known):
        get_logger(launch_file).warning(sentence)
    return {name: context.launch_configurations[name] for name in known}


def node_name(context: LaunchContext, namespace: str, name: str) -> str:
    """The full name that a node gets, in the namespace that an including launch file may have pushed."""
    outer = context.launch_configurations.get("ros_namespace", "")
    return layers.full_name(namespace if namespace.startswith("/") else f"{outer}/{namespace}", name)


def node(
    executable: str,
    full_name: str,
    name: str,
    namespace: str,
    log_level: str,
    files: Sequence[Path],
    arguments: dict[str, Any],
    command_line: Sequence[str] = (),
) -> list[Any]:
    """The lines that tell whose parameters count, and the node.

    Args:
        executable: of this package.
        full_name: of the node.
        name: of the node, without namespace.
        namespace: as its argument says.
        log_level: least severity of the node's log lines.
        files: parameter files in order; a later one counts more.
        arguments: parameters that launch arguments set; they count most.
        command_line: what else the executable is told.

    Raises:
        ValueError: a file cannot be read, or has nothing for this node.
    """
    says = [layers.from_file(file, full_name, _name_in_package(file)) for file in files]
    if arguments:
        says.append(Layer("arguments", arguments))
    given = {key: _parameter(value) for key, value in arguments.items()}
    return [
        *(LogInfo(msg=line) for line in layers.told(says, full_name)),
        Node(
            package="vjepa_mpc",
            executable=executable,
            name=name,
            namespace=namespace,
            output="screen",
            arguments=list(command_line),
            parameters=[*map(str, files), *([given] if given else [])],
            ros_arguments=["--log-level", f"{full_name[1:].replace('/', '.')}:={log_level}"],
            additional_env=environment(os.getpid()),
        ),
    ]


def dashboard(value: dict[str, str], planner: str) -> list[Any]:
    """The operator's page, when it is wanted.

    Args:
        value: the launch arguments.
        planner: full name of the planner that it is of.
    """
    if not is_true(value["dashboard"]):
        return []
    given = {"planner": planner, "port": port(value["dashboard_port"])}
    name = f"{planner}_dashboard"
    return node("dashboard", name, name.rsplit("/", 1)[-1], value["namespace"], value["log_level"], (), given)


def _name_in_package(file: Path) -> str:
    """What one of the package's own files is called; "" for others."""
    return str(file.relative_to(SHARE)) if file.is_relative_to(SHARE) else ""


def _parameter(value: Any) -> Any:
    """As launch_ros wants it: it would read a bare text as YAML."""
    return ParameterValue(value, value_type=str) if isinstance(value, str) else value
