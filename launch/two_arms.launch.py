"""Two arms, each with a planner of its own, in the namespaces left and right.

ros2 launch vjepa_mpc two_arms.launch.py sim:=true
ros2 launch vjepa_mpc two_arms.launch.py robot:=fr3_crisp left_workspace:=left.yaml right_workspace:=right.yaml

Every include stands in a group of its own: launch leaves the arguments of an include set, so that the second arm would
else get what was meant for the first.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

PLAN = Path(get_package_share_directory("vjepa_mpc")) / "launch" / "plan.launch.py"
ARMS = ("left", "right")
BOTH = {
    "sim": ("false", "Start two simulated arms, too."),
    "robot": ("", "Robot profile of both arms."),
    "checkpoint": ("", "World model of both planners."),
    "device": ("", "PyTorch device of both planners."),
}
EACH = ("workspace", "params_file", "calibration", "goal_image")


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    both = [
        DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in BOTH.items()
    ]
    each = [
        DeclareLaunchArgument(f"{arm}_{name}", default_value="", description=f"As {name} of plan.launch.py.")
        for arm in ARMS
        for name in EACH
    ]
    return LaunchDescription([*both, *each, *map(planner_of, ARMS)])


def planner_of(arm: str) -> GroupAction:
    """The planner of one arm; only what is stated here reaches it."""
    stated = {name: LaunchConfiguration(name) for name in BOTH}
    stated |= {name: LaunchConfiguration(f"{arm}_{name}") for name in EACH}
    return GroupAction(
        [IncludeLaunchDescription(PythonLaunchDescriptionSource(str(PLAN)))],
        scoped=True,
        forwarding=False,
        launch_configurations={"namespace": arm, **stated},
    )
