from __future__ import annotations

import math

import pytest

from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN, GripperJoint


def commands(settings: GripperSettings, measured: list[float], changes: list[float]) -> list[float]:
    """What is commanded, one after the other."""
    held: float | None = None
    found = []
    for closedness, change in zip(measured, changes, strict=True):
        held = settings.command(held, closedness, change)
        found.append(held)
    return found


def test_a_binary_gripper_holds_until_the_opposite_is_planned():
    changes = [0.1, 0.3, 0.0, -0.25, 0.75, -0.3, 0.1]
    # 0.37 is what closing on a 5 cm block reads: the command stays at fully closed, which squeezes.
    found = commands(GripperSettings(), [0.37] * 7, changes)
    assert found == [0.37, CLOSED, CLOSED, CLOSED, CLOSED, OPEN, OPEN]


def test_the_threshold_itself_does_not_switch():
    settings = GripperSettings(threshold=0.25)
    assert settings.command(None, 0.0, 0.25) == 0.0
    assert settings.command(None, 0.0, 0.2501) == CLOSED


def test_the_measured_closedness_is_latched_not_followed():
    assert commands(GripperSettings(), [0.2, 0.5], [0.0, 0.0]) == [0.2, 0.2]
    assert GripperSettings().command(None, 0.5, 0.0) == 0.5


def test_a_continuous_gripper_adds_to_what_is_measured():
    settings = GripperSettings(mode="continuous")
    assert settings.command(0.0, 0.5, 0.2) == pytest.approx(0.7)
    assert settings.command(0.0, 0.9, 0.2) == CLOSED
    assert settings.command(0.0, 0.1, -0.2) == OPEN


@pytest.mark.parametrize("options", [{"mode": "soft"}, {"threshold": 1.0}, {"threshold": float("nan")}])
def test_bad_settings_are_named(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        GripperSettings(**options)


def test_joint_positions_map_to_closedness_and_back():
    finger = GripperJoint(open_position=0.04, closed_position=0.0)
    assert finger.closedness(0.04) == 0.0
    assert finger.closedness(0.0) == 1.0
    assert finger.closedness(0.05) == 0.0
    assert finger.position(0.25) == pytest.approx(0.03)
    assert finger.closedness(finger.position(0.6)) == pytest.approx(0.6)
    assert math.isnan(finger.closedness(float("nan")))
    with pytest.raises(ValueError, match="different"):
        GripperJoint(open_position=0.04, closed_position=0.04)
