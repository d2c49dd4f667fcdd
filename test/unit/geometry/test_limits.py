from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox

BOX = WorkspaceBox(lower=(0.3, -0.2, 0.0), upper=(0.7, 0.2, 0.4))


def test_a_box_has_no_default():
    with pytest.raises(TypeError):
        WorkspaceBox()


def test_contains_clip_and_distance_agree():
    inside, outside = np.array([0.5, 0.0, 0.2]), np.array([0.8, 0.0, -0.02])
    assert BOX.contains(inside) and BOX.distance(inside) == 0.0
    assert not BOX.contains(outside) and BOX.distance(outside) == pytest.approx(0.1)
    assert BOX.contains(outside, margin=0.11)
    assert BOX.contains(BOX.clip(outside))


def test_nan_is_never_inside():
    assert not BOX.contains(np.array([np.nan, 0.0, 0.1]), margin=10.0)


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        ((0.7, -0.2, 0.0), (0.3, 0.2, 0.4), r"x: lower 0\.7"),
        ((0.3, float("nan"), 0.0), (0.7, 0.2, 0.4), "lower="),
        ((0.3, -0.2, 0.0), (0.7, 0.2, float("inf")), "upper="),
        ((0.3, -0.2), (0.7, 0.2, 0.4), "three"),
    ],
)
def test_a_bad_box_is_named(lower, upper, words):
    with pytest.raises(ValueError, match=words):
        WorkspaceBox(lower=lower, upper=upper)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_limits_are_positive_and_finite(value):
    with pytest.raises(ValueError, match="linear_speed"):
        MotionLimits(linear_speed=value)
