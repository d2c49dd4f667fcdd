"""Every launch argument takes real values, whether a launch file in Python, XML or YAML includes ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("launch", reason="launch is not installed (it comes with ROS 2, not from PyPI)")
pytest.importorskip("launch_ros", reason="launch_ros is not installed (it comes with ROS 2, not from PyPI)")

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import IncludeLaunchDescription
from launch.frontend import Parser
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

pytestmark = pytest.mark.ros

PLAN = Path(__file__).resolve().parents[2] / "launch/plan.launch.py"
VALUES = {
    "autostart": ("false", "autostart", False),
    "checkpoint": ("/models/ac.safetensors", "checkpoint", "/models/ac.safetensors"),
    "device": ("cuda:1", "device", "cuda:1"),
    "image_topic": ("camera/color/image_raw", "topics.image", "camera/color/image_raw"),
    "pose_topic": ("current_pose", "topics.pose", "current_pose"),
    "target_topic": ("target_frame", "topics.target", "target_frame"),
}


def python_include(arguments: dict[str, str]) -> LaunchDescription:
    source = PythonLaunchDescriptionSource(str(PLAN))
    return LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments.items())])


def xml_include(arguments: dict[str, str]) -> LaunchDescription:
    given = "".join(f'<arg name="{name}" value="{value}"/>' for name, value in arguments.items())
    return parsed(f'<launch><include file="{PLAN}">{given}</include></launch>')


def yaml_include(arguments: dict[str, str]) -> LaunchDescription:
    given = [{"name": name, "value": value} for name, value in arguments.items()]
    return parsed(yaml.safe_dump({"launch": [{"include": {"file": str(PLAN), "arg": given}}]}))


def parsed(text: str) -> LaunchDescription:
    root, parser = Parser.load(io.StringIO(text))
    return parser.parse_description(root)


INCLUDES = {"Python": python_include, "XML": xml_include, "YAML": yaml_include}


def nodes(entity: LaunchDescriptionEntity, context: LaunchContext) -> Iterator[Node]:
    """All nodes that would be started."""
    if isinstance(entity, Node):
        yield entity
        return
    for inner in entity.visit(context) or ():
        yield from nodes(inner, context)


def parameters(description: LaunchDescription) -> dict[str, Any]:
    """What the planner is given on top of its first file."""
    context = LaunchContext()
    (planner,) = (node for node in nodes(description, context) if node.node_executable == "planner_node")
    planner._perform_substitutions(context)
    files = [argument for argument, is_file in planner._Node__expanded_parameter_arguments if is_file]
    given: dict[str, Any] = {}
    for file in files[1:]:
        for content in yaml.safe_load(Path(file).read_text()).values():
            given |= content["ros__parameters"]
    return given


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("argument", VALUES)
def test_an_argument_becomes_a_parameter_of_its_type(argument: str, include: str) -> None:
    value, parameter, expected = VALUES[argument]
    assert parameters(INCLUDES[include]({argument: value}))[parameter] == expected


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("True", True)])
def test_autostart_is_true_or_false(value: str, expected: bool) -> None:
    assert parameters(python_include({"autostart": value})) == {"autostart": expected}


def test_what_is_not_given_is_left_to_the_parameter_files() -> None:
    assert parameters(python_include({})) == {}
