"""Robot profiles are complete, are what the nodes declare, and are cautious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.nodes.franka_parameters import ENTRIES as DRIVER_ENTRIES
from vjepa_mpc.nodes.franka_parameters import build_settings as build_driver_settings
from vjepa_mpc.nodes.live_parameters import Entry
from vjepa_mpc.nodes.parameter_table import DEFAULT_PRESET, PRESET, entries
from vjepa_mpc.nodes.parameters import build_settings

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "config/robots").glob("*.yaml"))
DECLARED = {entry.name: entry for entry in (PRESET, *entries(DEFAULT_PRESET))}
# What Franka's own controller admits, with a margin for a first try.
MOST_SPEED, MOST_ACCELERATION = 0.5, 3.0

pytestmark = pytest.mark.ros


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in values.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return result


def parameters(path: Path) -> dict[str, Any]:
    return flat(yaml.safe_load(path.read_text())["/**"]["ros__parameters"])


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


def driver_values(**values: Any) -> dict[str, Any]:
    return {entry.name: entry.default for entry in DRIVER_ENTRIES} | values


def test_driver_names_the_simulators_joints_by_default() -> None:
    from vjepa_mpc.nodes.sim_node import ARM_JOINTS, FINGER_JOINTS

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
