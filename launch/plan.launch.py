"""The planner, with the simulated arm (sim:=true) or for a real one.

ros2 launch vjepa_mpc plan.launch.py sim:=true
ros2 launch vjepa_mpc plan.launch.py robot:=/path/to/my_robot.yaml checkpoint:=/models/vjepa2-ac-vitg.pt
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory("vjepa_mpc"))

# What is passed on as a parameter of the planner when it is given; its own default counts otherwise.
PARAMETERS = {
    "checkpoint": ("checkpoint", str, "World model: .safetensors or published .pt; empty: the bundled model."),
    "device": ("device", str, "PyTorch device: auto, cpu, cuda, cuda:1 …"),
    "autostart": ("autostart", bool, "Configure and activate at start: true or false."),
    "image_topic": ("topics.image", str, "Camera images."),
    "pose_topic": ("topics.pose", str, "Measured pose of the end effector (PoseStamped)."),
    "target_topic": ("topics.target", str, "Where set-points go (PoseStamped)."),
}
ARGUMENTS = {
    "sim": ("false", "Start the simulated arm, too."),
    "robot": ("", "Robot profile: a name in config/robots, or a YAML file. Default: sim with sim:=true, else none."),
    "namespace": ("", "Namespace of all nodes and topics."),
    "params_file": (str(SHARE / "config" / "planner.yaml"), "Parameters of the planner."),
    "sim_params_file": (str(SHARE / "config" / "sim.yaml"), "Parameters of the simulated arm."),
    "calibration": ("", "Camera calibration: the YAML file that `calibrate` wrote."),
    "goal_image": ("", "Goal images to start with: files on this machine, separated by commas."),
}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=value, description=what) for name, (value, what) in ARGUMENTS.items()
    ]
    arguments += [
        DeclareLaunchArgument(name, default_value="", description=what) for name, (_, _, what) in PARAMETERS.items()
    ]
    simulation = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "sim.launch.py")),
        launch_arguments={
            "namespace": LaunchConfiguration("namespace"),
            "sim_params_file": LaunchConfiguration("sim_params_file"),
        }.items(),
        condition=IfCondition(LaunchConfiguration("sim")),
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=planner), simulation])


def planner(context: LaunchContext) -> list[Node]:
    """The planner node, and set_goal when goal images are given."""
    value = {name: LaunchConfiguration(name).perform(context) for name in (*ARGUMENTS, *PARAMETERS)}
    # Substitutions are converted to the type, texts are not.
    overrides = {
        parameter: ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, (parameter, kind, _) in PARAMETERS.items()
        if value[argument]
    }
    profile = robot_profile(value["robot"], value["sim"].lower() in ("true", "1"))
    node = Node(
        package="vjepa_mpc",
        executable="planner_node",
        name="planner_node",
        namespace=value["namespace"],
        output="screen",
        parameters=[
            value["params_file"],
            *profile,
            *calibration_file(value["calibration"]),
            *([overrides] if overrides else []),
        ],
    )
    if not value["goal_image"]:
        return [node]
    images = [part.strip() for part in value["goal_image"].split(",")]
    first_goal = Node(
        package="vjepa_mpc",
        executable="set_goal",
        namespace=value["namespace"],
        output="screen",
        arguments=[*images, "--remote", "--timeout", "120"],
    )
    return [node, first_goal]


def robot_profile(name: str, simulated: bool) -> list[str]:
    """The YAML files of a robot profile: one or none."""
    chosen = name or ("sim" if simulated else "")
    if not chosen:
        return []
    path = Path(chosen)
    if path.suffix not in (".yaml", ".yml"):
        path = SHARE / "config" / "robots" / f"{chosen}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (SHARE / "config" / "robots").glob("*.yaml")))
        raise FileNotFoundError(f"robot:={chosen}: {path} does not exist; give a YAML file or one of {known}")
    return [str(path)]


def calibration_file(name: str) -> list[str]:
    """The YAML file of a camera calibration: one or none."""
    if name and not Path(name).is_file():
        raise FileNotFoundError(f"calibration:={name} does not exist; make it with `ros2 run vjepa_mpc calibrate`")
    return [name] if name else []
