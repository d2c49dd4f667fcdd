from __future__ import annotations

import math

import pytest

from vjepa_mpc.controller.gripper import GripperSettings, Hand
from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN, GripperJoint

SUB_GOAL = (1, 0)


def commands(settings: GripperSettings, measured: list[float], changes: list[float]) -> list[float]:
    """What is commanded, one after the other."""
    hand, found = Hand(), []
    for closedness, change in zip(measured, changes, strict=True):
        hand = settings.command(hand, SUB_GOAL, closedness, change)
        found.append(hand.closedness)
    return found


def test_a_binary_gripper_holds_until_the_opposite_is_planned():
    changes = [0.1, 0.3, 0.0, -0.25, 0.0, -0.3, 0.1]
    # 0.37 is what closing on a 5 cm block reads: the command stays at fully closed, which squeezes.
    found = commands(GripperSettings(), [0.37] * 7, changes)
    assert found == [0.37, CLOSED, CLOSED, CLOSED, CLOSED, OPEN, OPEN]


def test_the_threshold_itself_does_not_switch():
    settings = GripperSettings(threshold=0.25)
    assert commands(settings, [0.0], [0.25]) == [0.0]
    assert commands(settings, [0.0], [0.2501]) == [CLOSED]


def test_the_measured_closedness_is_latched_not_followed():
    assert commands(GripperSettings(), [0.2, 0.5], [0.0, 0.0]) == [0.2, 0.2]
    assert commands(GripperSettings(), [0.5], [0.0]) == [0.5]


def test_a_continuous_gripper_adds_to_what_is_measured():
    settings = GripperSettings(mode="continuous")
    found = commands(settings, [0.5, 0.9, 0.1], [0.2, 0.2, -0.2])
    assert found == [pytest.approx(0.7), CLOSED, OPEN]


CLOSE, NEITHER, RELEASE = 0.7, 0.0, -0.7


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([CLOSE, RELEASE] * 5, [CLOSED] * 10),  # by turns: it is moved once
        ([CLOSE, NEITHER, RELEASE, NEITHER, CLOSE, NEITHER, RELEASE], [CLOSED] * 7),
        ([CLOSE, RELEASE, RELEASE, CLOSE, CLOSE], [CLOSED, CLOSED, OPEN, OPEN, CLOSED]),  # two in a row are meant
        ([CLOSE, NEITHER, NEITHER, NEITHER, RELEASE], [CLOSED] * 4 + [OPEN]),  # long ago
    ],
)
def test_a_hand_that_plans_would_open_and_close_by_turns_is_not_moved(changes, told):
    assert commands(GripperSettings(), [0.4] * len(changes), changes) == told


def test_what_is_not_done_is_told_and_another_sub_goal_starts_anew():
    settings, measured = GripperSettings(), 0.4
    closed = settings.command(Hand(), SUB_GOAL, measured, CLOSE)
    kept = settings.command(closed, SUB_GOAL, measured, RELEASE)
    assert not closed.kept and "by turns" in kept.kept and kept.closedness == CLOSED
    assert settings.command(closed, (1, 1), measured, RELEASE).closedness == OPEN
    assert settings.command(closed, (2, 0), measured, RELEASE).closedness == OPEN


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
