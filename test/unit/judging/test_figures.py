"""What the figures of a judgement mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.rigs import exact_model
from vjepa_mpc.data import open_dataset
from vjepa_mpc.evaluation.statistics import bootstrap_interval
from vjepa_mpc.judging.landscapes import landscape
from vjepa_mpc.judging.prediction import prediction_errors
from vjepa_mpc.judging.recovery import Recovered, Recovery
from vjepa_mpc.judging.stretches import Walk, direction_of, distance_of, draw_clips, draw_moves, draw_toggles
from vjepa_mpc.judging.turn import find_turn, vertical_turn
from vjepa_mpc.planning import PRESETS

pytestmark = pytest.mark.filterwarnings("ignore:.*it has no stamps")


@pytest.fixture
def walks(tmp_path: Path) -> list[Walk]:
    return [Walk.of(each, 0.25) for each in open_dataset(exact_model.write(tmp_path / "arm.npz"))]


def recovered(made: np.ndarray, planned: np.ndarray, gripper: tuple[float, float] = (0.0, 0.0)) -> Recovered:
    return Recovered(name="", steps=1, made=(*made, gripper[0]), planned=(*planned, gripper[1]))  # type: ignore[arg-type]


def test_errors_of_a_plan() -> None:
    move = recovered(np.array([0.03, 0.04, 0.0]), np.array([0.03, 0.0, 0.0]), (0.8, -0.3))
    assert move.length == pytest.approx(0.05) and move.error == pytest.approx(0.04) and move.left == pytest.approx(0.8)
    assert move.direction == pytest.approx(53.13, abs=0.01) and not move.gripper_right
    assert recovered(np.ones(3), np.zeros(3)).direction == 90.0


def test_moves_are_spread_over_directions_and_distances(walks: list[Walk]) -> None:
    moves = draw_moves(walks, (1, 2), 30, np.random.default_rng(0))
    cells = [(direction_of(each.done), distance_of(float(np.linalg.norm(each.done[:3])))) for each in moves]
    counts = [cells.count(cell) for cell in set(cells)]
    assert len(moves) == 30 and {direction for direction, _ in cells} == {"+x", "-x", "+y", "-y", "+z", "-z"}
    assert max(counts) <= 4
    assert len({(each.walk.episode.name, each.first, each.steps) for each in moves}) == 30


def test_stretches_are_as_the_arm_went(walks: list[Walk]) -> None:
    for each in draw_toggles(walks, (1, 2), 10, np.random.default_rng(0)):
        assert abs(each.states[-1, 6] - each.states[0, 6]) == 1.0
    (clip,) = draw_clips(walks, 3, 1, np.random.default_rng(0))
    truth = exact_model.states(int(clip.walk.episode.name[-1]), 40)[clip.first : clip.first + 4]
    np.testing.assert_allclose(clip.states[:, :3], truth[:, :3], atol=1e-6)
    np.testing.assert_array_equal(clip.images([3])[0], exact_model.draw(truth[3]))
    np.testing.assert_allclose(clip.done[:3], truth[3, :3] - truth[0, :3], atol=1e-6)


def test_a_model_that_is_deaf_to_actions_predicts_what_it_saw(walks: list[Walk]) -> None:
    clip, other = draw_clips(walks, 2, 2, np.random.default_rng(0))
    deaf = prediction_errors(exact_model.ExactModel(heeds=0.0), clip, other, "square")
    exact = prediction_errors(exact_model.ExactModel(), clip, other, "square")
    assert deaf.predicted[0] == pytest.approx(deaf.copied[0], rel=0.5)
    assert max(exact.predicted) < 0.1 * min(exact.copied) and min(exact.shuffled) > 5 * max(exact.predicted)


def test_the_landscape_is_lowest_at_what_was_done(walks: list[Walk]) -> None:
    model, rng = exact_model.ExactModel(), np.random.default_rng(0)
    for stretch in draw_moves(walks, (1, 2), 6, rng):
        recovery = Recovery(model, PRESETS["cpu"], 0.05, "square", 0)
        shown = landscape(model, recovery.planner(stretch.steps), stretch, recovery(stretch), "square")
        axis = shown.surface.axis
        for plane, other in ((shown.surface.xy, 1), (shown.surface.xz, 2)):
            row, column = np.unravel_index(plane.argmin(), plane.shape)
            lowest = np.array([axis[column], axis[row]])
            np.testing.assert_allclose(lowest, stretch.done[[0, other]], atol=1.01 * (axis[1] - axis[0]))


@pytest.mark.parametrize("angle", [-70.0, 0.0, 25.0])
def test_the_turn_of_plans_is_found(angle: float) -> None:
    rng = np.random.default_rng(1)
    planned = rng.normal(0.0, 0.03, (40, 3))
    made = Rotation.from_euler("z", angle, degrees=True).apply(planned) + rng.normal(0.0, 0.002, (40, 3))
    assert np.degrees(vertical_turn(planned, made)) == pytest.approx(angle, abs=3)
    turn = find_turn([recovered(*pair) for pair in zip(made, planned, strict=True)])
    assert turn is not None and turn.vertical_interval[0] < angle < turn.vertical_interval[1]
    assert turn.left_vertical < 0.15 and turn.left_turned < 0.15


def test_no_turn_makes_plans_good_that_have_nothing_to_do_with_the_moves() -> None:
    """As it might seem if a rotation were judged by the moves that it was fitted to."""
    rng = np.random.default_rng(2)
    turn = find_turn([recovered(*rng.normal(0.0, 0.03, (2, 3))) for _ in range(12)])
    assert turn is not None and turn.left_turned > 1.0 and not turn.fit.reliable


def test_moves_along_one_line_tell_no_turn() -> None:
    line = np.outer(np.linspace(0.02, 0.06, 12), [1.0, 0.0, 0.0])
    assert find_turn([recovered(made, made) for made in line]) is None


def test_the_bootstrap_covers_and_repeats() -> None:
    rows = np.random.default_rng(0).normal(3.0, 1.0, (200, 2))
    low, high = bootstrap_interval(rows, lambda drawn: float(drawn[:, 0].mean()))
    assert low < 3.0 < high and 0.2 < high - low < 0.4
    assert (low, high) == bootstrap_interval(rows, lambda drawn: float(drawn[:, 0].mean()))
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap_interval(np.empty((0, 2)), np.mean)
