"""Every launch argument with a real value, through includes from Python, XML and YAML: what the nodes are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("launch_ros", reason="launch_ros is not installed (it comes with ROS 2, not from PyPI)")

from ament_index_python.packages import get_package_share_directory
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

from support.launching import nodes_of, parameters_given
from vjepa_mpc.ros.launching.arguments import BOOLEANS, PLAN_ARGUMENTS

SHARE = Path(get_package_share_directory("vjepa_mpc"))
PLAN = SHARE / "launch" / "plan.launch.py"
FORMATS = {
    "launch.py": """
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
def generate_launch_description():
    source = PythonLaunchDescriptionSource({plan!r})
    return LaunchDescription([IncludeLaunchDescription(source, launch_arguments={arguments!r}.items())])
""",
    "launch.xml": '<launch><include file="{plan}">{xml}</include></launch>',
    "launch.yaml": "launch:\n- include:\n    file: {plan}\n    arg:\n{yaml}",
}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, str]:
    """A value other than the default for every argument of plan.launch.py but `play`, which starts another node."""
    files = {}
    for name, content in {
        "params_file": "/**: {ros__parameters: {samples: 7, limits.linear_speed: 0.05}}",
        "sim_params_file": "/**: {ros__parameters: {image_rate: 3.0}}",
        "calibration": "/**: {ros__parameters: {action_rotation: [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0]}}",
        "checkpoint": "",
        "goal_image": "",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(content)
        files[name] = str(tmp_path / f"{name}.yaml")
    return {
        **files,
        "sim": "true",
        "robot": "fr3_crisp",
        "workspace": "0.3,-0.25,0.05,0.65,0.25,0.45",
        "namespace": "left",
        "node_name": "mpc",
        "use_sim_time": "true",
        "log_level": "warn",
        "device": "cuda:1",
        "autostart": "false",
        "image_topic": "/cam/image",
        "pose_topic": "pose",
        "target_topic": "target",
        "record": str(tmp_path / "bags"),
        "dashboard": "true",
        "dashboard_port": "8123",
    }


def included(folder: Path, kind: str, arguments: dict[str, str], plan: Path = PLAN) -> IncludeLaunchDescription:
    """A launch file of this kind that includes ours with these arguments."""
    path = folder / f"user.{kind}"
    xml = "".join(f'<arg name="{name}" value="{value}"/>' for name, value in arguments.items())
    yaml = "".join(f'    - {{name: "{name}", value: "{value}"}}\n' for name, value in arguments.items())
    path.write_text(FORMATS[kind].format(plan=str(plan), arguments=arguments, xml=xml, yaml=yaml))
    return IncludeLaunchDescription(AnyLaunchDescriptionSource(str(path)))


def by_executable(nodes: list[Any]) -> dict[str, Any]:
    return {node.node_executable: node for node in nodes}


def command(node: Any) -> str:
    """With parameter files, as far as it needs no running process."""
    return " ".join(part.text for group in node.cmd for part in group if hasattr(part, "text"))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_argument_reaches_its_node(tmp_path: Path, kind: str, values: dict[str, str]) -> None:
    assert {*values, "play"} == {argument.name for argument in PLAN_ARGUMENTS}
    nodes = by_executable(nodes_of(included(tmp_path, kind, values)))
    assert set(nodes) == {"planner_node", "set_goal", "sim_node", "recorder", "dashboard"}
    planner = parameters_given(nodes["planner_node"])
    assert (
        planner.items()
        >= {
            "checkpoint": values["checkpoint"],
            "samples": 7,
            "limits.linear_speed": 0.05,
            "workspace.lower": [0.3, -0.25, 0.05],
            "workspace.upper": [0.65, 0.25, 0.45],
            "use_sim_time": True,
            "device": "cuda:1",
            "autostart": False,
            "topics.image": "/cam/image",
            "topics.pose": "pose",
            "topics.target": "target",
            "preset": "paper",  # of the profile
        }.items()
    )
    assert planner["action_rotation"][1] == 1.0
    assert nodes["planner_node"].node_name == "/left/mpc"
    assert "--log-level left.mpc:=warn" in command(nodes["planner_node"])
    simulation = parameters_given(nodes["sim_node"])
    assert (simulation["image_rate"], simulation["publish_clock"]) == (3.0, True)
    assert nodes["sim_node"].node_name == "/left/sim_node"
    goal = command(nodes["set_goal"])
    assert f"{values['goal_image']} --remote" in goal and "--node mpc" in goal
    assert parameters_given(nodes["recorder"]) == {"folder": values["record"], "planner": "/left/mpc"}
    assert nodes["recorder"].node_name == "/left/mpc_recorder"
    assert parameters_given(nodes["dashboard"]) == {"planner": "/left/mpc", "port": 8123}
    assert nodes["dashboard"].node_name == "/left/mpc_dashboard"


@pytest.mark.parametrize("kind", FORMATS)
def test_play_takes_the_planners_place_and_each_of_its_episodes_is_a_bag(tmp_path: Path, kind: str) -> None:
    arguments = {"play": "0.5", "record": str(tmp_path / "bags"), "robot": "sim", "namespace": "left"}
    nodes = by_executable(nodes_of(included(tmp_path, kind, arguments)))
    assert set(nodes) == {"play", "recorder"}
    assert "--minutes 0.5" in command(nodes["play"]) and nodes["play"].node_name == "/left/planner_node"
    assert parameters_given(nodes["recorder"])["bags"] == "goal"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", BOOLEANS)
def test_every_way_to_write_a_boolean_is_one(tmp_path: Path, kind: str, text: str) -> None:
    (node,) = nodes_of(included(tmp_path, kind, {"autostart": text}))
    assert parameters_given(node)["autostart"] is (text.lower() in ("true", "1"))


@pytest.mark.parametrize("name", [argument.name for argument in PLAN_ARGUMENTS if argument.boolean])
def test_a_boolean_that_is_none_is_refused_before_anything_starts(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="yes"):
        nodes_of(included(tmp_path, "launch.xml", {name: "yes"}))


@pytest.mark.parametrize("name", ["checkpoint", "goal_image"])
def test_home_is_expanded_in_what_the_planner_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    nodes = nodes_of(included(tmp_path, "launch.py", {name: "~/mine.file"}))
    assert any(str(tmp_path / "mine.file") in f"{command(node)} {parameters_given(node)}" for node in nodes)


@pytest.mark.parametrize("name", ["params_file", "sim_params_file", "calibration", "robot"])
def test_a_file_that_is_missing_is_refused_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = {"sim": "true", name: "~/mine.yaml"}
    with pytest.raises(FileNotFoundError, match=rf"{name}:=~/mine.yaml: {tmp_path}/mine.yaml does not exist"):
        nodes_of(included(tmp_path, "launch.py", arguments))
    (tmp_path / "mine.yaml").write_text("/**: {ros__parameters: {}}")
    nodes = nodes_of(included(tmp_path, "launch.py", arguments))
    assert any(str(tmp_path / "mine.yaml") in f"{command(node)} {parameters_given(node)}" for node in nodes)


def test_without_arguments_the_parameter_files_decide(tmp_path: Path) -> None:
    (node,) = nodes_of(included(tmp_path, "launch.py", {}))
    assert node.node_name == "/planner_node"
    assert len(node._Node__expanded_parameter_arguments) == 1
    assert "use_sim_time" not in parameters_given(node)


def test_an_include_without_a_group_does_not_leak_its_goal(tmp_path: Path, values: dict[str, str]) -> None:
    left, right = tmp_path / "left", tmp_path / "right"
    left.mkdir(), right.mkdir()
    first = included(left, "launch.py", {"namespace": "left", "goal_image": values["goal_image"]})
    nodes = nodes_of(GroupAction([first, included(right, "launch.py", {"namespace": "right"})]))
    assert [node.node_executable for node in nodes] == ["planner_node", "set_goal", "planner_node"]


def test_two_planners_of_one_name_are_refused(tmp_path: Path) -> None:
    arm = included(tmp_path, "launch.py", {"namespace": "left"})
    with pytest.raises(ValueError, match="two planners are called /left/planner_node"):
        nodes_of(GroupAction([arm, included(tmp_path, "launch.py", {"namespace": "left"})]))


def test_two_arms_share_nothing_that_is_of_one_arm(tmp_path: Path, values: dict[str, str]) -> None:
    description = IncludeLaunchDescription(AnyLaunchDescriptionSource(str(PLAN.with_name("two_arms.launch.py"))))
    given = {
        "left_goal_image": values["goal_image"],
        "left_workspace": values["workspace"],
        "left_params_file": values["params_file"],
        "robot": "fr3_crisp",
    }
    nodes = {node.node_name: node for node in nodes_of(description, given) if node.node_executable == "planner_node"}
    left, right = (parameters_given(nodes[f"/{arm}/planner_node"]) for arm in ("left", "right"))
    assert left["workspace.lower"] == [0.3, -0.25, 0.05] and left["samples"] == 7
    assert "workspace.lower" not in right and "samples" not in right
    assert left["preset"] == right["preset"] == "paper"
    goals = [node for node in nodes_of(description, given) if node.node_executable == "set_goal"]
    assert [node.node_name.rpartition("/")[0] for node in goals] == ["/left"]
