"""Robot profiles are complete, are what the nodes declare, and are cautious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.ros.franka.parameters import ENTRIES as DRIVER_ENTRIES
from vjepa_mpc.ros.franka.parameters import build_settings as build_driver_settings
from vjepa_mpc.ros.parameters.live import Entry
from vjepa_mpc.ros.parameters.settings import build_settings
from vjepa_mpc.ros.parameters.table import DEFAULT_PRESET, PRESET, entries

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "config/robots").glob("*.yaml"))
DECLARED = {entry.name: entry for entry in (PRESET, *entries(DEFAULT_PRESET))}
# What Franka's own controller admits, with a margin for a first try.
MOST_SPEED, MOST_ACCELERATION = 0.5, 3.0

pytestmark = pytest.mark.ros


def parameters(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["/**"]["ros__parameters"]


def fits(entry: Entry, value: Any) -> bool:
    if entry.default is None:
        return isinstance(value, list) and all(isinstance(number, float) for number in value)
    kind = list if isinstance(entry.default, tuple) else type(entry.default)
    in_range = entry.low is None or entry.low <= value <= entry.high
    return type(value) is kind and in_range and (not entry.choices or value in entry.choices)


def settings(path: Path, workspace: bool = True) -> Any:
    values = {name: entry.default for name, entry in DECLARED.items()} | parameters(path)
    if workspace and values["workspace.lower"] is None:
        values |= {"workspace.lower": (0.3, -0.2, 0.02), "workspace.upper": (0.6, 0.2, 0.4)}
    return build_settings({name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def test_the_promised_profiles_exist() -> None:
    promised = {"sim", "fr3_crisp", "fr3_cartesian_controllers", "panda_servo", "fr3_libfranka"}
    assert promised <= {path.stem for path in PROFILES}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_holds_declared_parameters_of_the_right_type_and_range(path: Path) -> None:
    wrong = {
        name: value
        for name, value in parameters(path).items()
        if name not in DECLARED or not fits(DECLARED[name], value)
    }
    assert wrong == {}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_builds_settings_with_the_robots_names_and_cautious_limits(path: Path) -> None:
    built = settings(path)
    assert built.supervisor is not None
    assert built.gripper_joint.endswith("finger_joint1")
    assert built.limits.linear_speed <= MOST_SPEED
    assert built.limits.linear_acceleration <= MOST_ACCELERATION
    assert 0.01 <= built.setpoints.period <= 0.02  # 50 to 100 Hz


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
    assert built.setpoints.period <= 0.1 / 4


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_can_hear_the_robots_mode(path: Path) -> None:
    """Uncommenting the line for franka_ros2 gives a valid profile."""
    text = path.read_text()
    if path.stem in ("sim", "fr3_libfranka"):
        assert settings(path).topics.motion_allowed == "~/motion_allowed"  # the driver's, see the SROS2 policy's test
        return
    given = yaml.safe_load(text.replace("# topics.robot_state:", "topics.robot_state:"))["/**"]["ros__parameters"]
    assert given["topics.robot_state"] == "franka_robot_state_broadcaster/robot_state"


def driver_values(**values: Any) -> dict[str, Any]:
    return {entry.name: entry.default for entry in DRIVER_ENTRIES} | values


def test_driver_names_the_simulators_joints_by_default() -> None:
    from vjepa_mpc.ros.sim.node import ARM_JOINTS, FINGER_JOINTS

    built = build_driver_settings(driver_values(robot_ip="127.0.0.1"))
    assert built.arm_joints == tuple(ARM_JOINTS)
    assert built.finger_joints == tuple(FINGER_JOINTS)


def test_driver_is_refused_without_an_address() -> None:
    with pytest.raises(ValueError, match="robot_ip=''"):
        build_driver_settings(driver_values())


@pytest.mark.parametrize("entry", DRIVER_ENTRIES, ids=lambda entry: entry.name)
def test_driver_defaults_lie_within_their_ranges(entry: Entry) -> None:
    entry.check(entry.default)
    assert entry.low is None or entry.low <= entry.default <= entry.high
