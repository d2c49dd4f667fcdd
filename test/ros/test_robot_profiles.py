"""Robot profiles are complete, are what the nodes declare, and are cautious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")


from vjepa_mpc.options import Parameter
from vjepa_mpc.ros.franka.parameters import PARAMETERS as DRIVER_PARAMETERS
from vjepa_mpc.ros.franka.parameters import build_settings as build_driver_settings
from vjepa_mpc.ros.parameters.arguments import checked
from vjepa_mpc.ros.parameters.planner import NODE, known
from vjepa_mpc.ros.parameters.settings import build_settings

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "config/robots").glob("*.yaml"))
DECLARED = {parameter.name: parameter for parameter in known({})}
# What Franka's own controller admits, with a margin for a first try.
MOST_SPEED, MOST_ACCELERATION = 0.5, 3.0

pytestmark = pytest.mark.ros


def parameters(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["/**"]["ros__parameters"]


def settings(path: Path, workspace: bool = True) -> Any:
    values = {name: parameter.default for name, parameter in DECLARED.items()} | parameters(path)
    if workspace and values["workspace.lower"] is None:
        values |= {"workspace.lower": (0.3, -0.2, 0.02), "workspace.upper": (0.6, 0.2, 0.4)}
    return build_settings({name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def test_the_promised_profiles_exist() -> None:
    promised = {"sim", "fr3_crisp", "fr3_cartesian_controllers", "panda_servo", "fr3_libfranka"}
    assert promised <= {path.stem for path in PROFILES}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_holds_declared_parameters_of_the_right_type_and_range(path: Path) -> None:
    with checked(["--ros-args", "--params-file", str(ROOT / "config/planner.yaml"), "--params-file", str(path)], NODE):
        pass  # what is wrong raises
    assert not any(set(parameters(path)) & set(parameter.option.former) for parameter in DECLARED.values())


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_builds_settings_with_the_robots_names_and_cautious_limits(path: Path) -> None:
    built = settings(path)
    assert built.supervisor is not None
    assert built.gripper_joint.endswith("finger_joint1")
    assert built.limits.linear_speed <= MOST_SPEED
    assert built.limits.linear_acceleration <= MOST_ACCELERATION
    assert 0.01 <= built.motion.setpoints.period <= 0.02  # 50 to 100 Hz


@pytest.mark.parametrize("path", [path for path in PROFILES if path.stem != "sim"], ids=lambda path: path.stem)
def test_profile_of_a_real_robot_leaves_the_workspace_to_the_lab(path: Path) -> None:
    assert settings(path, workspace=False).supervisor is None


# What the controllers take, by their documentation.
TAKES: dict[str, dict[str, Any]] = {
    "sim": {"output": "pose", "target": "target_pose", "frame_id": "base", "gripper_output": "commands"},
    "fr3_crisp": {"output": "pose", "target": "target_pose", "gripper_output": "commands"},
    "fr3_libfranka": {"output": "pose", "target": "target_pose", "frame_id": "base", "gripper_output": "commands"},
    "fr3_cartesian_controllers": {
        "output": "pose",
        "target": "cartesian_motion_controller/target_frame",
        "frame_id": "fr3_link0",
        "gripper_output": "action",
        "gripper": "fr3_gripper/gripper_action",
    },
    "panda_servo": {
        "output": "twist",
        "target": "servo_node/delta_twist_cmds",
        "frame_id": "panda_link0",
        "gripper_output": "action",
        "gripper": "panda_gripper/gripper_action",
    },
}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_speaks_to_its_controller(path: Path) -> None:
    built = settings(path)
    said = {
        "output": built.output,
        "target": built.topics.target,
        "frame_id": built.frame_id,
        "gripper_output": built.gripper_output,
        "gripper": built.topics.gripper,
    }
    assert said.items() >= TAKES[path.stem].items()
    # A gripper's action is called gripper_action or gripper_cmd, its topic commands; one is no name for the other.
    assert built.topics.gripper.endswith("commands") == (built.gripper_output == "commands")
    # Servo halts 0.1 s after the last command, cartesian and impedance controllers want 50 Hz or more.
    assert built.motion.setpoints.period <= 0.1 / 4


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_can_hear_the_robots_mode(path: Path) -> None:
    """Uncommenting the line for franka_ros2 gives a valid profile."""
    text = path.read_text()
    if path.stem in ("sim", "fr3_libfranka"):
        topic = "~/motion_allowed" if path.stem == "sim" else "planner_node/motion_allowed"  # the driver's
        assert settings(path).topics.motion_allowed == topic
        return
    given = yaml.safe_load(text.replace("# topics.robot_state:", "topics.robot_state:"))["/**"]["ros__parameters"]
    assert given["topics.robot_state"] == "franka_robot_state_broadcaster/robot_state"


def driver_values(**values: Any) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in DRIVER_PARAMETERS} | values


def test_driver_names_the_simulators_joints_by_default() -> None:
    from vjepa_mpc.ros.sim.node import ARM_JOINTS, FINGER_JOINTS

    built = build_driver_settings(driver_values(robot_ip="127.0.0.1"))
    assert built.arm_joints == tuple(ARM_JOINTS)
    assert built.finger_joints == tuple(FINGER_JOINTS)


def test_driver_is_refused_without_an_address() -> None:
    with pytest.raises(ValueError, match="robot_ip=''"):
        build_driver_settings(driver_values())


@pytest.mark.parametrize("parameter", DRIVER_PARAMETERS, ids=lambda parameter: parameter.name)
def test_driver_defaults_lie_within_their_ranges(parameter: Parameter) -> None:
    parameter.check(parameter.default)
