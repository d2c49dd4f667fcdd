from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.motion.settle import SettleMonitor, SettleSettings


def pose(x: float) -> CartesianPose:
    return CartesianPose(np.array([x, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))


def first_settled(positions, target=0.5, at_target=lambda _: True) -> float | None:
    monitor = SettleMonitor(SettleSettings(timeout=1.0))
    for index, x in enumerate(positions):
        now = 0.02 * index
        measured = None if x is None else pose(x)
        if monitor.update(now, at_target=at_target(now), measured=measured, target=pose(target)):
            return round(now, 2)
    return None


def test_near_the_target_settles_after_the_duration():
    assert first_settled([0.499] * 20) == 0.1


def test_a_motion_is_not_over_before_the_setpoint_is_there():
    assert first_settled([0.5] * 50, at_target=lambda now: now >= 0.5) == pytest.approx(0.6, abs=0.03)


def test_a_standing_error_settles_once_the_arm_is_still():
    moving = list(np.linspace(0.4, 0.48, 10))
    assert first_settled(moving + [0.48] * 20) == pytest.approx(0.3, abs=0.03)


def test_an_arm_that_never_rests_ends_by_timeout():
    assert first_settled([0.4 + 0.03 * (i % 2) for i in range(80)]) == 1.0


def test_without_poses_only_the_timeout_ends_it():
    assert first_settled([None] * 80) == 1.0


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="duration=0"):
        SettleSettings(duration=0.0)
