"""The simulated Franka alone: ros2 launch vjepa_mpc sim.launch.py."""

from __future__ import annotations

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction

from vjepa_mpc.ros.launching import actions
from vjepa_mpc.ros.launching.arguments import SIM_ARGUMENTS, is_true
from vjepa_mpc.ros.launching.files import existing_file


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription([*actions.declarations(SIM_ARGUMENTS), OpaqueFunction(function=simulated_arm)])


def simulated_arm(context: LaunchContext) -> list[Any]:
    """The simulator's node, and the operator's page when it is wanted."""
    value = actions.values_of(context, SIM_ARGUMENTS, "sim.launch.py")
    name = actions.node_name(context, value["namespace"], "sim_node")
    files = [actions.CONFIG / "sim.yaml"]
    if value["sim_params_file"]:
        files.append(existing_file("sim_params_file", value["sim_params_file"]))
    # The time is its own, so it does not take it from /clock but publishes it there.
    given = {"publish_clock": True} if is_true(value["use_sim_time"]) else {}
    simulated = actions.node("sim_node", name, "sim_node", value["namespace"], value["log_level"], files, given)
    # Of the planner that will be started beside it.
    planner = actions.node_name(context, value["namespace"], "planner_node")
    return [*simulated, *actions.dashboard(value, planner)]
