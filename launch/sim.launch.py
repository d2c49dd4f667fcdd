"""The simulated Franka alone: ros2 launch vjepa_mpc sim.launch.py."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(get_package_share_directory("vjepa_mpc"))


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node and its topics."),
            DeclareLaunchArgument(
                "sim_params_file",
                default_value=str(SHARE / "config" / "sim.yaml"),
                description="Parameters of the simulated arm.",
            ),
            Node(
                package="vjepa_mpc",
                executable="sim_node",
                name="sim_node",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                parameters=[LaunchConfiguration("sim_params_file")],
            ),
        ]
    )
