"""The planner's parameters: table, code, YAML files and README agree; values that do not fit are refused."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import MotionLimits
from vjepa_mpc.planning import PRESETS, CEMConfig
from vjepa_mpc.ros.parameters.settings import build_settings, planner_config
from vjepa_mpc.ros.parameters.table import DEFAULT_PRESET, PRESET, entries, planner_entries
from vjepa_mpc.ros.sim.parameters import ENTRIES as SIM_ENTRIES
from vjepa_mpc.ros.sim.parameters import build_settings as build_sim_settings
from vjepa_mpc.safety.supervisor import SupervisorConfig

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {entry.name: entry for entry in (PRESET, *entries(DEFAULT_PRESET))}
DEFAULTS = {name: entry.default for name, entry in ENTRIES.items()}
BOX = {"workspace.lower": (0.3, -0.3, 0.0), "workspace.upper": (0.7, 0.3, 0.5)}


def parameters_of(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["/**"]["ros__parameters"]


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("folder", ["config", "config/robots"])
def test_files_name_parameters_with_dots(folder: str) -> None:
    """rcl lets nested names of a second file win over `-p`: a lower speed limit given there would be ignored."""
    for path in (ROOT / folder).glob("*.yaml"):
        nested = [name for name, value in parameters_of(path).items() if isinstance(value, dict)]
        assert not nested, f"{path.name}: {nested}"


# -- one home for each value ------------------------------------------------------------------------------------------


def test_planner_yaml_states_every_parameter_at_its_default() -> None:
    text = (ROOT / "config/planner.yaml").read_text()
    stated = parameters_of(ROOT / "config/planner.yaml")
    commented = re.findall(r"^    # (\w+): (.*)$", text, re.MULTILINE)
    stated |= {name: yaml.safe_load(value) for name, value in commented if name in ENTRIES}
    expected = {name: plain(default) for name, default in DEFAULTS.items() if default is not None}
    assert stated == expected


@pytest.mark.parametrize("profile", sorted((ROOT / "config/robots").glob("*.yaml")), ids=lambda path: path.stem)
def test_robot_profiles_name_declared_parameters_and_fit_together(profile: Path) -> None:
    given = parameters_of(profile)
    assert set(given) <= set(ENTRIES)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    settings = build_settings({**DEFAULTS, **values})
    # Only the simulated arm's cell is known; for others the node must refuse to be activated without a box.
    assert (settings.supervisor is not None) == (profile.stem == "sim")


def test_sim_yaml_states_the_simulators_parameters_at_their_defaults() -> None:
    expected = {entry.name: entry.default for entry in SIM_ENTRIES if entry.default is not None}
    assert parameters_of(ROOT / "config/sim.yaml") == expected


def test_readme_table_agrees_with_the_code() -> None:
    section = (ROOT / "README.md").read_text().split("## Parameters of the planner")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| `?([^|`]*)`? \|", section, re.MULTILINE)
    assert {name for name, _ in rows} == set(ENTRIES)
    for name, default in rows:
        expected = "" if DEFAULTS[name] is None else plain(DEFAULTS[name])
        assert yaml.safe_load(default or '""') == expected, name


def test_every_setting_of_the_core_is_a_parameter() -> None:
    names = {field.name for field in fields(CEMConfig)} - {"verbose"}
    assert names == {entry.name for entry in planner_entries(PRESETS["cpu"])}
    for kind, prefix in ((MotionLimits, "limits."), (SupervisorConfig, "")):
        missing = {prefix + field.name for field in fields(kind)} - set(ENTRIES)
        assert missing <= {"workspace", "limits"}


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults_are_those_of_the_dataclasses(preset: str) -> None:
    values = {entry.name: entry.default for entry in entries(preset)}
    settings = build_settings({**values, **BOX, "gripper_joint": "finger"})
    assert settings.planner == PRESETS[preset]
    assert settings.limits == MotionLimits()
    assert settings.gripper == GripperSettings()
    assert settings.finger == GripperJoint()
    box = settings.supervisor.workspace
    assert settings.supervisor == SupervisorConfig(frame_id="base", workspace=box, limits=settings.limits)


# -- what they may be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_descriptors_describe(entry: Any) -> None:
    descriptor = entry.descriptor()
    assert descriptor.description.endswith(".") or entry.name == "device"
    number = isinstance(entry.default, int | float) and not isinstance(entry.default, bool)
    assert bool(descriptor.integer_range or descriptor.floating_point_range) == number
    if number:
        assert entry.low <= entry.default <= entry.high


def test_planner_parameters_are_dynamic_and_safety_is_not() -> None:
    assert all(entry.dynamic for entry in planner_entries(PRESETS["cpu"]))
    assert not any(ENTRIES[name].dynamic for name in ("workspace.lower", "limits.max_step", "checkpoint"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"topk": 20, "samples": 16}, "topk=20 > samples=16"),
        ({"rollout": 0}, "rollout=0"),
        ({"topk": 1}, "topk=1"),
        ({"maxnorm": math.nan}, "maxnorm=nan"),
        ({"momentum_std": math.nan}, "momentum_std=nan"),
        ({"maxnorm": 0.1}, r"maxnorm=0.1 > limits.max_step=0.075"),
        ({"axis": "w=1"}, "'w=1' is not like z=0.0"),
        ({"axis": "z=--"}, "z=--|not a number"),
        ({"workspace.upper": None}, "workspace.upper=None"),
        ({"workspace.upper": (0.2, 0.3, 0.5)}, "lower 0.3 is not below upper 0.2"),
        ({"workspace.lower": (0.3, -0.3)}, r"workspace.lower=\(0.3, -0.3\)"),
        ({"frame_id": ""}, "frame_id=''"),
        ({"action_rotation": (1.0,) * 9}, "rotation"),
        ({"action_rotation": (1.0,) * 4}, "has 4 numbers"),
        ({"gripper_joint_open": 0.0}, "open=0.0, closed=0.0"),
        ({"setpoint_period": 0.05, "setpoint_max_gap": 0.04}, "period=0.05 s, max_gap=0.04 s"),
        ({"goal.plateau_window": 1}, "window=1"),
        ({"ignore_sanity": "NONSENSE"}, "NONSENSE unknown"),
        ({"std_floor": 0.5, "stop_spread": 0.2}, "std_floor=0.5 >= stop_spread=0.2"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build_settings({**DEFAULTS, **BOX, **changes})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("maxnorm", math.nan, "maxnorm=nan: use finite numbers"),
        ("workspace.lower", (0.3, math.inf, 0.0), "finite"),
        ("crop", "round", "crop='round': use one of square, droid"),
        ("gripper_mode", "soft", "binary, continuous"),
    ],
)
def test_entries_check_single_values(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ENTRIES[name].check(value)


def test_without_a_workspace_there_is_no_supervisor() -> None:
    assert build_settings(DEFAULTS).supervisor is None


def test_pins_and_zeros_become_what_the_planner_takes() -> None:
    config = planner_config({**DEFAULTS, "axis": "z=0.0, gripper=-1", "close_gripper": 2, "deadline": 0.5})
    assert config.axis == {2: 0.0, 3: -1.0}
    assert (config.close_gripper, config.deadline, config.memory_limit_mb) == (2, 0.5, None)
    assert planner_config(DEFAULTS).close_gripper is None


def test_action_rotation_is_read_row_by_row() -> None:
    quarter = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    rotation = build_settings({**DEFAULTS, "action_rotation": quarter}).action_rotation
    np.testing.assert_array_equal(rotation @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image_rate": 200.0}, r"image_rate=200.0 > pose_rate=100.0"),
        ({"start_pose": (0.5, 0.0)}, "give 7 numbers"),
        ({"frame_id": ""}, "frame_id=''"),
    ],
)
def test_the_simulators_values_are_checked(changes: dict[str, Any], says: str) -> None:
    values = {entry.name: entry.default for entry in SIM_ENTRIES}
    with pytest.raises(ValueError, match=says):
        build_sim_settings({**values, **changes})


def test_pipelined_execution_is_refused_with_velocities() -> None:
    with pytest.raises(ValueError, match="execution=pipelined with output=twist"):
        build_settings(DEFAULTS | BOX | {"execution": "pipelined", "output": "twist"})
