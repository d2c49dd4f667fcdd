"""Points in space come out where the camera shows them."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.imagination.projection import Viewpoint, draw_lines, draw_spot

# One metre above the origin, looking down; the picture's right is the robot's x, its upper edge the robot's y.
ABOVE = Viewpoint(position=np.array([0.0, 0.0, 1.0]), axes=np.eye(3), fovy=90.0)
SIDE = 101
RED = np.array([[1.0, 0.0, 0.0]])


def test_the_middle_is_what_it_looks_at_and_the_edge_is_half_the_angle_away() -> None:
    np.testing.assert_allclose(ABOVE.project(np.zeros(3), SIDE), [50.0, 50.0])
    np.testing.assert_allclose(
        ABOVE.project(np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]), SIDE), [[75.25, 50.0], [50.0, 24.75]]
    )
    nearer = ABOVE.project(np.array([0.5, 0.0, 0.5]), SIDE)
    np.testing.assert_allclose(nearer, [100.5, 50.0])


def test_lines_are_drawn_where_they_are_and_none_behind_the_camera() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    behind = np.array([[[0.0, 0.0, 1.5], [0.2, 0.0, 1.5]]])
    draw_lines(picture, behind, RED, ABOVE, width=1, opacity=1.0)
    draw_spot(picture, behind[0, 0], RED[0], ABOVE, radius=3)
    assert not picture.any()
    draw_lines(picture, np.array([[[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]]), RED, ABOVE, width=1, opacity=0.5)
    assert 90 < picture[50, 60, 0] < 140 and not picture[..., 1:].any() and not picture[40].any()
    draw_spot(picture, np.array([0.0, 0.5, 0.0]), RED[0], ABOVE, radius=3)
    assert picture[25, 50].tolist() == [255, 0, 0] and picture[75, 50].tolist() == [0, 0, 0]
