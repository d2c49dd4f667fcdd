"""Goal pictures beside the camera's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vjepa_mpc.goals.picture import FINDINGS, PictureChecks, compare

SIZE = 256


def scene(block: int = 60, width: int = SIZE, brightness: float = 1.0) -> np.ndarray:
    """A table before a wall, an arm and a red block somewhere; a little noise, as a camera has."""
    picture = np.full((SIZE, width, 3), (150, 170, 180), np.uint8)
    picture[SIZE // 3 :] = (180, 150, 120)
    cv2.rectangle(picture, (width // 2, 0), (width // 2 + 40, 140), (240, 240, 240), -1)
    cv2.rectangle(picture, (block, 180), (block + 40, 220), (180, 40, 40), -1)
    noise = np.random.default_rng(block).normal(0.0, 3.0, picture.shape)
    return np.clip(brightness * picture + noise, 0, 255).astype(np.uint8)


def plot() -> np.ndarray:
    picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
    cv2.polylines(picture, [np.array([[20, 200], [90, 60], [170, 150], [240, 40]], np.int32)], False, (31, 119, 180), 3)
    return picture


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


@pytest.mark.parametrize(
    ("goal", "finding", "words"),
    [
        (scene(width=455), "OTHER_SHAPE", "455 x 256 pixels and the camera 256 x 256"),
        (cv2.resize(scene(), (16, 16)), "FEW_PIXELS", "16 x 16 pixels; 64 a side"),
        (scene()[:1, :1], "FEW_PIXELS", "1 x 1 pixels"),
        (plot(), "ONE_COLOUR", r"9\d % of it have one colour"),
        (np.full((SIZE, SIZE, 3), 128, np.uint8), "NO_CONTRAST", r"varies by 0\.0 of 255"),
        (grey(scene()), "NO_COLOUR", r"saturation is 0\.000"),
        (np.ascontiguousarray(255 - scene()[..., [2, 0, 1]]), "OTHER_COLOURS", "% of it have colours"),
    ],
)
def test_a_picture_that_is_not_of_this_camera_is_refused_by_name_and_figures_unless_it_is_meant(goal, finding, words):
    with pytest.raises(ValueError, match=rf"that picture .*{finding}: [^;]*{words}.*goal_picture.ignore='.*{finding}"):
        PictureChecks().require(goal, scene(), "that picture")
    PictureChecks(ignore=frozenset(compare(goal, scene()))).require(goal, scene(), "that picture")
    with pytest.raises(ValueError, match=finding):
        PictureChecks(ignore=frozenset(FINDINGS) - {finding}).require(goal, scene(), "that picture")


@pytest.mark.parametrize(
    "goal",
    [
        scene(),
        scene(block=190),
        scene(brightness=0.7),
        scene(brightness=1.3),
        cv2.resize(scene(block=120), (640, 640)),
        cv2.GaussianBlur(scene(block=120), (0, 0), 2.0),
    ],
)
def test_pictures_of_the_scene_pass(goal):
    assert not compare(goal, scene())


def test_a_camera_without_colours_wants_none():
    assert not compare(grey(scene(block=190)), grey(scene()))


def test_unknown_findings_are_named():
    with pytest.raises(ValueError, match="UGLY unknown; known are OTHER_SHAPE"):
        PictureChecks(ignore=frozenset({"UGLY"}))
