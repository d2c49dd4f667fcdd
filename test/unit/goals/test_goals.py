from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.goals.sub_goal import (
    Ending,
    GoalSequence,
    GripperIntent,
    PlannerOverrides,
    Plateau,
    SubGoal,
    broadcast_options,
)

IMAGE = np.zeros((8, 8, 3), np.uint8)


def goal(**options) -> SubGoal:
    return SubGoal(**{"image": IMAGE, "steps": 4, **options})


def run(sequence: GoalSequence, energies: list[float]) -> list:
    """Act after each energy that does not end its sub-goal."""
    ended = []
    for energy in energies:
        if (end := sequence.update(energy)) is None:
            sequence.action_taken()
            continue
        ended.append((end.index, end.by, end.steps))
        if sequence.finished:
            break
    return ended


def test_budgets_end_sub_goals_after_exactly_their_steps():
    sequence = GoalSequence([goal(steps=4), goal(steps=2)])
    ended = []
    for frame in range(7):
        while not sequence.finished and (end := sequence.update(1.0)) is not None:
            ended.append((frame, end.index, end.by, end.steps))
        if not sequence.finished:
            sequence.action_taken()
    assert ended == [(4, 0, Ending.BUDGET, 4), (6, 1, Ending.BUDGET, 2)]
    assert sequence.finished and sequence.current is None and sequence.index == 2


def test_energy_threshold_ends_early_and_wins_over_the_budget():
    assert run(GoalSequence([goal(energy_threshold=0.2)]), [1.0, 0.5, 0.2, 0.1]) == [(0, Ending.ENERGY, 2)]
    assert run(GoalSequence([goal(steps=2, energy_threshold=0.2)]), [1.0, 0.5, 0.2]) == [(0, Ending.ENERGY, 2)]


def test_plateau_needs_its_whole_window_and_is_relative_to_the_first_energy():
    plateau = Plateau(window=3, slope=0.02)
    falling, level = [1.0, 0.8, 0.6, 0.4], [0.39, 0.395]
    assert run(GoalSequence([goal(steps=9, plateau=plateau)]), falling) == []
    assert run(GoalSequence([goal(steps=9, plateau=plateau)]), falling + level) == [(0, Ending.PLATEAU, 5)]
    scaled = [100 * energy for energy in falling + level]
    assert run(GoalSequence([goal(steps=9, plateau=plateau)]), scaled) == [(0, Ending.PLATEAU, 5)]
    assert not plateau.reached([1.0, 1.0])


def test_a_new_sub_goal_starts_with_a_clean_energy_history():
    plateau = Plateau(window=2, slope=0.01)
    sequence = GoalSequence([goal(steps=1, plateau=plateau), goal(steps=9, plateau=plateau)])
    assert run(sequence, [1.0, 0.5, 0.9, 0.5, 0.5]) == [(0, Ending.BUDGET, 1), (1, Ending.PLATEAU, 2)]


def test_no_budget_follows_the_image():
    assert run(GoalSequence([goal(steps=None)]), [1.0] * 50) == []


def test_a_broken_energy_is_refused_and_changes_nothing():
    sequence = GoalSequence([goal()])
    with pytest.raises(ValueError, match="energy=nan"):
        sequence.update(float("nan"))
    assert sequence.index == 0 and not sequence.finished


def test_updating_a_finished_sequence_is_refused():
    sequence = GoalSequence([goal(energy_threshold=1.0)])
    assert sequence.update(0.5) is not None
    with pytest.raises(RuntimeError, match="new goal"):
        sequence.update(0.5)


@pytest.mark.parametrize("text", ["free", "open", "closed", "close_after:3", "close_after:0"])
def test_gripper_intents_read_and_write_the_same_form(text):
    assert str(GripperIntent.parse(text)) == text
    assert GripperIntent.parse(f" {text.upper()} ") == GripperIntent.parse(text)


def test_an_empty_intent_is_free():
    assert GripperIntent.parse("") == GripperIntent()


@pytest.mark.parametrize("text", ["shut", "close_after", "close_after:", "close_after:-1", "close_after:1.5", "open:1"])
def test_other_intents_are_refused_by_name(text):
    with pytest.raises(ValueError, match="close_after:H"):
        GripperIntent.parse(text)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: goal(image=np.zeros((8, 8, 3))), TypeError, "float64 array.*uint8"),
        (lambda: goal(image=[[1]]), TypeError, "list"),
        (lambda: goal(image=np.zeros((8, 8), np.uint8)), ValueError, r"\(8, 8\)"),
        (lambda: goal(image=np.zeros((0, 8, 3), np.uint8)), ValueError, "non-empty"),
        (lambda: goal(steps=0), ValueError, "steps=0"),
        (lambda: goal(energy_threshold=float("nan")), ValueError, "energy_threshold=nan"),
        (lambda: Plateau(window=1, slope=0.1), ValueError, "window=1"),
        (lambda: Plateau(window=3, slope=-0.1), ValueError, "slope=-0.1"),
        (lambda: PlannerOverrides(maxnorm=0.0), ValueError, "maxnorm=0.0"),
        (lambda: PlannerOverrides(horizon=0), ValueError, "horizon=0"),
        (lambda: GripperIntent("open", 2), ValueError, "close_after"),
        (lambda: GripperIntent("wide"), ValueError, "wide"),
        (lambda: GoalSequence([]), ValueError, "at least one"),
    ],
)
def test_bad_values_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_options_are_one_each_or_one_for_all_or_none():
    assert broadcast_options(3, [], 8, "steps") == (8, 8, 8)
    assert broadcast_options(3, [4], 8, "steps") == (4, 4, 4)
    assert broadcast_options(3, [4, 10, 4], 8, "steps") == (4, 10, 4)
    with pytest.raises(ValueError, match="2 values of steps for 3 goal images"):
        broadcast_options(3, [4, 10], 8, "steps")
