"""Where candidates lead, and how that is coloured."""

from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.imagination.fan import along_robot_axes, box_edges, colours, paths, segments

ORIGIN = np.array([0.5, 0.0, 0.2, 3.1, 0.0, 0.0, 0.0])
QUARTER = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # about z, from x to y


def actions(*steps: tuple[float, float, float]) -> np.ndarray:
    found = np.zeros((1, len(steps), 7), dtype=np.float32)
    found[0, :, :3] = steps
    return found


def test_a_path_begins_at_the_origin_and_adds_the_actions_up() -> None:
    found = paths(ORIGIN, actions((0.1, 0.0, 0.0), (0.0, 0.0, -0.05)))
    assert found.shape == (1, 3, 3)
    np.testing.assert_allclose(found[0], [[0.5, 0.0, 0.2], [0.6, 0.0, 0.2], [0.6, 0.0, 0.15]], atol=1e-7)


def test_actions_of_a_turned_camera_are_turned_to_the_robot_s_axes() -> None:
    planned = actions((0.1, 0.0, 0.02))
    planned[..., 6] = 0.5
    turned = along_robot_axes(planned, QUARTER)
    np.testing.assert_allclose(turned[0, 0], [0.0, 0.1, 0.02, 0.0, 0.0, 0.0, 0.5], atol=1e-7)
    np.testing.assert_array_equal(along_robot_axes(planned, None), planned)
    assert planned[0, 0, 0] == np.float32(0.1), "the plan's own array stays"


def test_the_lowest_energy_is_green_and_the_highest_red() -> None:
    best, middle, worst = colours(np.array([1.0, 2.0, 3.0]))
    assert best.argmax() == 1 and worst.argmax() == 0
    assert middle[0] > 0.9 and middle[1] > 0.8, "yellow between them"


def test_energies_that_are_no_numbers_are_grey_and_do_not_shift_the_others() -> None:
    found = colours(np.array([np.nan, 1.0, np.inf, 3.0]))
    np.testing.assert_array_equal(found[[1, 3]], colours(np.array([1.0, 3.0])))
    assert (found[[0, 2]] == 0.5).all()
    assert (colours(np.full(2, np.nan)) == 0.5).all()


def test_energies_that_are_all_the_same_are_green() -> None:
    assert (colours(np.full(3, 0.7)).argmax(axis=1) == 1).all()


def test_segments_are_the_pieces_of_each_line() -> None:
    line = np.arange(9.0).reshape(1, 3, 3)
    np.testing.assert_array_equal(segments(line), line[:, [0, 1, 1, 2]])


def test_a_box_has_twelve_edges_along_its_axes() -> None:
    box = WorkspaceBox(lower=(0.3, -0.2, 0.0), upper=(0.7, 0.2, 0.5))
    edges = box_edges(box).reshape(12, 2, 3)
    lengths = np.abs(edges[:, 1] - edges[:, 0])
    assert (np.count_nonzero(lengths, axis=1) == 1).all()
    assert sorted(lengths.max(axis=1)) == pytest.approx([0.4] * 8 + [0.5] * 4)
