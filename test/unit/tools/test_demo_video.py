"""A frame of the demo's film: camera, what is expected, goal, and two charts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("imageio_ffmpeg", reason="the packages of the extra `viz` are not installed")

from vjepa_mpc.tools.demo.video import HEADER, HEIGHT, MARGIN, VIEW, WIDTH, Curves, Moment, compose


def plain(value: int) -> np.ndarray:
    return np.full((64, 64, 3), value, np.uint8)


MOMENT = Moment(
    live=plain(50),
    expected=plain(120),
    goal=plain(200),
    title="reach, episode 1, step 2",
    note="3 x real time",
    caption="goal",
    energy=0.2,
    distance=0.1,
)


def views(frame: np.ndarray) -> list[int]:
    """The colour in the middle of each of the three pictures."""
    row = HEADER + VIEW // 2
    return [int(frame[row, MARGIN + column * (VIEW + MARGIN) + VIEW // 2, 0]) for column in range(3)]


def test_camera_imagination_and_goal_stand_side_by_side() -> None:
    frame = compose(MOMENT, Curves(energy=[0.2], distance=[10.0]))
    assert frame.shape == (HEIGHT, WIDTH, 3) and HEIGHT % 2 == WIDTH % 2 == 0, "as the codec wants"
    assert views(frame) == [50, 120, 200]


def test_before_the_first_plan_nobody_knows_what_is_expected() -> None:
    frame = compose(replace(MOMENT, expected=None), Curves(energy=[float("nan")], distance=[10.0]))
    assert views(frame)[0] == 50 and views(frame)[2] == 200
    assert views(frame)[1] not in (50, 120, 200)
