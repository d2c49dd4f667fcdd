"""Registration of a picture with a still background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vjepa_mpc.monitor.camera import Background, fit_background

SIDE = 64


def scene(seed: int = 0) -> np.ndarray:
    """A ground with some texture, float32 [64, 64, 3]."""
    coarse = np.random.default_rng(seed).uniform(40, 200, (12, 12, 3)).astype(np.float32)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def background() -> Background:
    rng = np.random.default_rng(1)
    return fit_background([scene() + rng.normal(0, 2, (SIDE, SIDE, 3)).astype(np.float32) for _ in range(12)])


def turned(degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1.0)
    return cv2.warpAffine(scene(), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def test_a_shift_is_measured_in_pixels(background: Background) -> None:
    matrix = np.array([[1, 0, 1.5], [0, 1, -1.0]], np.float32)
    shifted = cv2.warpAffine(scene(), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    assert background.displacement(shifted) == pytest.approx(np.hypot(1.5, 1.0), abs=0.15)


def test_a_turn_of_three_degrees_is_seen(background: Background) -> None:
    radius = np.mean(np.hypot(*np.meshgrid(*[np.linspace(-SIDE / 2, SIDE / 2, SIDE)] * 2)))
    assert background.displacement(turned(3.0)) == pytest.approx(np.radians(3.0) * radius, rel=0.15)


def test_light_and_an_object_are_no_motion(background: Background) -> None:
    darker = 0.7 * scene() + 5.0
    with_object = scene()
    with_object[20:36, 24:40] = 250.0
    assert background.displacement(darker) < 0.1
    assert background.displacement(with_object) < 0.1
