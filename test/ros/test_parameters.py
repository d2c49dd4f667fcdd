"""The planner's parameters: declarations, YAML files and page agree; values that do not fit are refused."""

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
from vjepa_mpc.ros.parameters.live import descriptor
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.parameters.settings import build_settings
from vjepa_mpc.ros.sim.parameters import PARAMETERS as SIM_PARAMETERS
from vjepa_mpc.ros.sim.parameters import build_settings as build_sim_settings
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.tools import docs

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = {parameter.name: parameter for parameter in known({})}
DEFAULTS = {name: parameter.default for name, parameter in PARAMETERS.items()}
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


def test_generated_files_are_as_declared() -> None:
    assert list(docs.differing()) == [], "run `make docs`"


def test_planner_yaml_states_every_parameter_at_its_default() -> None:
    text = (ROOT / "config/planner.yaml").read_text()
    stated = parameters_of(ROOT / "config/planner.yaml")
    commented = re.findall(r"^    # ([\w.]+): (.*)$", text, re.MULTILINE)
    stated |= {name: yaml.safe_load(value) for name, value in commented if name in PARAMETERS}
    expected = {name: plain(default) for name, default in DEFAULTS.items() if default is not None}
    assert stated == expected


def test_planner_yaml_leaves_to_the_preset_what_it_decides() -> None:
    stated = parameters_of(ROOT / "config/planner.yaml")
    for preset in PRESETS:
        assert all(
            parameter.default == DEFAULTS[parameter.name]
            for parameter in known({"preset": preset})
            if parameter.name in stated
        )


@pytest.mark.parametrize("profile", sorted((ROOT / "config/robots").glob("*.yaml")), ids=lambda path: path.stem)
def test_robot_profiles_name_declared_parameters_and_fit_together(profile: Path) -> None:
    given = parameters_of(profile)
    assert set(given) <= set(PARAMETERS)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    settings = build_settings({**DEFAULTS, **values})
    # Only the simulated arm's cell is known; for others the node must refuse to be activated without a box.
    assert (settings.supervisor is not None) == (profile.stem == "sim")


def test_sim_yaml_states_the_simulators_parameters_at_their_defaults() -> None:
    expected = {each.name: each.default for each in SIM_PARAMETERS if each.default is not None}
    assert parameters_of(ROOT / "config/sim.yaml") == expected


def test_every_setting_of_the_core_is_a_parameter() -> None:
    assert {field.name for field in fields(CEMConfig)} - {"verbose", "options"} <= set(PARAMETERS)
    for kind, prefix in ((MotionLimits, "limits."), (SupervisorConfig, "")):
        missing = {prefix + field.name for field in fields(kind)} - set(PARAMETERS)
        assert missing <= {"workspace", "limits"}, kind


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults_are_those_of_the_dataclasses(preset: str) -> None:
    values = {parameter.name: parameter.default for parameter in known({"preset": preset})}
    settings = build_settings({**values, **BOX, "gripper_joint": "finger"})
    assert settings.planner == PRESETS[preset]
    assert settings.limits == MotionLimits()
    assert settings.gripper == GripperSettings()
    assert settings.finger == GripperJoint()
    box = settings.supervisor.workspace
    assert settings.supervisor == SupervisorConfig(frame_id="base", workspace=box, limits=settings.limits)


# -- what they may be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda parameter: parameter.name)
def test_descriptors_describe(parameter: Any) -> None:
    shown = descriptor(parameter)
    assert parameter.option.text.endswith(".")
    assert shown.description.startswith(parameter.option.text)
    assert not parameter.option.unit or shown.description.endswith(f"[{parameter.option.unit}]")
    number = isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
    assert bool(shown.integer_range or shown.floating_point_range) == number
    assert shown.additional_constraints.endswith("live" if parameter.option.live else "static")
    if number:
        assert parameter.option.low <= parameter.default <= parameter.option.high


def test_planner_parameters_are_live_and_safety_is_not() -> None:
    assert all(PARAMETERS[name].option.live for name in ("samples", "maxnorm", "warm_start", "goal.steps"))
    assert not any(PARAMETERS[name].option.live for name in ("workspace.lower", "limits.max_step", "checkpoint"))


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
        ("maxnorm", math.nan, "maxnorm=nan: use a finite number"),
        ("workspace.lower", (0.3, math.inf, 0.0), "finite"),
        ("crop", "round", "crop='round': use one of square, droid"),
        ("gripper_mode", "soft", "binary, continuous"),
    ],
)
def test_parameters_check_single_values(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PARAMETERS[name].check(value)


def test_without_a_workspace_there_is_no_supervisor() -> None:
    assert build_settings(DEFAULTS).supervisor is None


def test_pins_and_zeros_become_what_the_planner_takes() -> None:
    config = build_settings({**DEFAULTS, "axis": "z=0.0, gripper=-1", "close_gripper": 2, "time_budget": 0.5}).planner
    assert config.axis == {2: 0.0, 3: -1.0}
    assert (config.close_gripper, config.time_budget, config.memory_limit_mb) == (2, 0.5, None)
    assert build_settings(DEFAULTS).planner.close_gripper is None


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
    values = {each.name: each.default for each in SIM_PARAMETERS}
    with pytest.raises(ValueError, match=says):
        build_sim_settings({**values, **changes})


def test_pipelined_execution_is_refused_with_velocities() -> None:
    with pytest.raises(ValueError, match="execution=pipelined with output=twist"):
        build_settings(DEFAULTS | BOX | {"execution": "pipelined", "output": "twist"})
