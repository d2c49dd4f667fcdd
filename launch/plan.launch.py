"""The planner, with the simulated arm (sim:=true) or for a real one.

ros2 launch vjepa_mpc plan.launch.py sim:=true
ros2 launch vjepa_mpc plan.launch.py robot:=fr3_crisp workspace:=0.3,-0.25,0.05,0.65,0.25,0.45 \
    checkpoint:=/models/vitg.safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from vjepa_mpc.registry import names_code
from vjepa_mpc.ros.launching import actions
from vjepa_mpc.ros.launching.arguments import PATHS, PLAN_ARGUMENTS, SIM_ARGUMENTS, is_true, parameters_of
from vjepa_mpc.ros.launching.files import absolute, existing_file, robot_profile, workspace

PLANNERS = "vjepa_mpc planners"  # where launch keeps the names of those that it has started
INCLUDED = "vjepa_mpc planner"  # left behind by an include that is not in a group of its own
OF_ONE_ARM = ("robot", "workspace", "params_file", "calibration")


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription([*actions.declarations(PLAN_ARGUMENTS), OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Any]:
    """The planner, the first goal when goal images are given, and the simulated arm when it is wanted."""
    value = actions.values_of(context, PLAN_ARGUMENTS, "plan.launch.py")
    name = actions.node_name(context, value["namespace"], value["node_name"])
    warnings = claim(context, name, value)
    result = [*warnings, *planner(value, name), *recorder(value, name)]
    result += [*actions.dashboard(value, name), *first_goal(value)]
    # launch leaves an include's arguments set. Another planner that is included later must not get this goal.
    context.launch_configurations["goal_image"] = ""
    return [*result, simulation(value)] if is_true(value["sim"]) else result


def claim(context: LaunchContext, name: str, value: dict[str, str]) -> list[LogInfo]:
    """Note the planner's name; warn of arguments that may have stayed from another planner's include.

    Raises:
        ValueError: another planner of this launch has the same name.
    """
    taken = context.get_locals_as_dict().get(PLANNERS, ())
    if name in taken:
        raise ValueError(f"two planners are called {name}: give each include a namespace of its own")
    context.extend_globals({PLANNERS: (*taken, name)})
    other = context.launch_configurations.get(INCLUDED, "")
    context.launch_configurations[INCLUDED] = name
    shared = ", ".join(f"{argument}:={value[argument]}" for argument in OF_ONE_ARM if value[argument])
    if not (other and shared):
        return []
    return [
        LogInfo(
            msg=f"{name}: {shared} may have stayed from the include of {other}: launch leaves an include's "
            "arguments set. Put each include into GroupAction(scoped=True, forwarding=False); see two_arms.launch.py."
        )
    ]


def planner(value: dict[str, str], name: str) -> list[Any]:
    """The planner's node, and the lines that tell whose parameters count."""
    files = parameter_files(value)
    given = parameters_of(PLAN_ARGUMENTS, value)
    given |= {path: str(absolute(given[path])) for path in PATHS if path in given and not names_code(given[path])}
    if value["workspace"]:
        given |= workspace(value["workspace"])
    where = (value["node_name"], value["namespace"], value["log_level"])
    if not value["play"]:
        return actions.node("planner_node", name, *where, files, given)
    played = actions.node("play", name, *where, files, given, ["--minutes", value["play"]])
    return [*played, RegisterEventHandler(OnProcessExit(target_action=played[-1], on_exit=[Shutdown()]))]


def parameter_files(value: dict[str, str]) -> list[Path]:
    """Package defaults, robot profile, the user's file, calibration: a later one counts more."""
    files = [actions.CONFIG / "planner.yaml"]
    robot = value["robot"] or ("sim" if is_true(value["sim"]) else "")
    if robot:
        files.append(robot_profile(robot, actions.CONFIG / "robots"))
    if value["params_file"]:
        files.append(existing_file("params_file", value["params_file"]))
    if value["calibration"]:
        remedy = "make it with `ros2 run vjepa_mpc calibrate`"
        files.append(existing_file("calibration", value["calibration"], remedy))
    return files


def recorder(value: dict[str, str], planner_name: str) -> list[Any]:
    """The recorder of what the planner hears and says, when a folder for it is given."""
    if not value["record"]:
        return []
    given = {"folder": str(absolute(value["record"])), "planner": planner_name}
    given |= {"bags": "goal"} if value["play"] else {}  # each episode of the play is one
    name = f"{planner_name}_recorder"
    return actions.node("recorder", name, name.rsplit("/", 1)[-1], value["namespace"], value["log_level"], (), given)


def first_goal(value: dict[str, str]) -> list[Node]:
    """set_goal, when goal images are given."""
    images = [absolute(image) for image in value["goal_image"].split(",") if image.strip()]
    if not images:
        return []
    return [
        Node(
            package="vjepa_mpc",
            executable="set_goal",
            namespace=value["namespace"],
            output="screen",
            arguments=[*map(str, images), "--remote", "--timeout", "120", "--node", value["node_name"]],
        )
    ]


def simulation(value: dict[str, str]) -> GroupAction:
    """The simulated arm, by its own launch file."""
    file = str(actions.SHARE / "launch" / "sim.launch.py")
    arguments = {argument.name: value[argument.name] for argument in SIM_ARGUMENTS} | {"dashboard": "false"}
    return GroupAction(
        [IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=arguments.items())]
    )
