from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.goals.endings.plateau import Plateau
from vjepa_mpc.goals.gripper_intent import CloseAfter, GripperIntent
from vjepa_mpc.goals.progress import Outcome, Progress
from vjepa_mpc.goals.sub_goal import PlannerOverrides, SubGoal, broadcast_options

IMAGE = np.zeros((8, 8, 3), np.uint8)


def goal(*endings: Ending, **options) -> SubGoal:
    return SubGoal(**{"image": IMAGE, "endings": endings or (Budget(steps=4),), **options})


def run(progress: Progress, energies: list[float]) -> list:
    """Act after each energy that does not end its sub-goal."""
    for energy in energies:
        before, progress = progress, progress.seen(energy)
        if progress.finished:
            break
        if progress.index == before.index:
            progress = progress.acted()
    return [(end.index, end.by, end.steps) for end in progress.ended]


def test_budgets_end_sub_goals_after_exactly_their_steps():
    progress = Progress((goal(Budget(steps=4)), goal(Budget(steps=2))))
    ended = []
    for frame in range(7):
        while not progress.finished:
            before, progress = progress, progress.seen(1.0)
            if progress.index == before.index:
                break
            end = progress.ended[-1]
            ended.append((frame, end.index, end.by, end.steps))
        if not progress.finished:
            progress = progress.acted()
    assert ended == [(4, 0, "BUDGET", 4), (6, 1, "BUDGET", 2)]
    assert progress.finished and progress.current is None and progress.index == 2


def test_energy_threshold_ends_early_and_wins_over_the_budget():
    threshold = Energy(energy_threshold=0.2)
    assert run(Progress((goal(Budget(steps=4), threshold),)), [1.0, 0.5, 0.2, 0.1]) == [(0, "ENERGY", 2)]
    assert run(Progress((goal(Budget(steps=2), threshold),)), [1.0, 0.5, 0.2]) == [(0, "ENERGY", 2)]


def test_plateau_needs_its_whole_window_and_is_relative_to_the_first_energy():
    plateau = Plateau(plateau_window=3, plateau_slope=0.02)
    falling, level = [1.0, 0.8, 0.6, 0.4], [0.39, 0.395]
    sub_goal = goal(Budget(steps=9), plateau)
    assert run(Progress((sub_goal,)), falling) == []
    assert run(Progress((sub_goal,)), falling + level) == [(0, "PLATEAU", 5)]
    scaled = [100 * energy for energy in falling + level]
    assert run(Progress((sub_goal,)), scaled) == [(0, "PLATEAU", 5)]
    assert not plateau.over(History(energies=(1.0, 1.0), steps=1))


def test_a_new_sub_goal_starts_with_a_clean_energy_history():
    plateau = Plateau(plateau_window=2, plateau_slope=0.01)
    progress = Progress((goal(Budget(steps=1), plateau), goal(Budget(steps=9), plateau)))
    assert run(progress, [1.0, 0.5, 0.9, 0.5, 0.5]) == [(0, "BUDGET", 1), (1, "PLATEAU", 2)]


def test_no_ending_follows_the_image():
    assert run(Progress((SubGoal(image=IMAGE),)), [1.0] * 50) == []


def test_progress_is_a_value_that_never_changes():
    start = Progress((goal(Budget(steps=1), Energy(energy_threshold=0.5)), goal()))
    seen = start.seen(0.9)
    ended = seen.acted().seen(0.9)
    assert (start.energies, start.steps, start.index) == ((), 0, 0)
    assert (seen.energies, seen.steps, seen.index) == ((0.9,), 0, 0)
    assert (ended.energies, ended.steps, ended.index) == ((), 0, 1)


def test_a_step_that_is_planned_again_counts_its_newest_energy_only():
    assert Progress((goal(),)).seen(1.0).acted().seen(0.8).seen(0.7).energies == (1.0, 0.7)


def test_endings_say_why_in_words_with_values():
    progress = Progress((goal(Energy(energy_threshold=0.2)), goal(Budget(steps=1))))
    progress = progress.seen(0.15).seen(0.9).acted().seen(0.8)
    assert [end.why for end in progress.ended] == [
        "the energy 0.1500 fell to its threshold 0.2",
        "its 1 steps were used up",
    ]


def ends(progress: Progress, energies: list[float], *, arrived: bool = False) -> str:
    """What is told of the last sub-goal that these energies end."""
    for energy in energies:
        progress = progress.seen(energy)
        progress = progress if progress.finished else progress.acted(arrived=arrived)
    assert progress.finished
    return str(progress.ended[-1])


def test_what_is_told_of_an_end_is_whether_it_was_reached_and_how_far_the_energy_is_down():
    def two_steps() -> Progress:
        return Progress((goal(Budget(steps=2), Energy(energy_threshold=0.1)),))

    assert ends(two_steps(), [0.8, 0.1]) == "0: ENERGY after 1, reached"
    assert ends(two_steps(), [0.8, 0.6, 0.4]) == "0: BUDGET after 2, the energy is down to 50 %"
    assert ends(two_steps(), [0.8, 0.6, 0.8]) == "0: BUDGET after 2, the energy did not fall, 100 % are left"
    assert ends(two_steps(), [0.8, 0.9, 0.79]) == "0: BUDGET after 2, the energy did not fall, 99 % are left"
    assert ends(two_steps(), [0.2, 0.2, 0.2], arrived=True) == "0: BUDGET after 2, reached"


def test_that_one_sub_goal_was_reached_says_nothing_of_the_next():
    progress = Progress((goal(Budget(steps=1)), goal(Budget(steps=1))))
    progress = progress.seen(0.2).acted(arrived=True).seen(0.2).seen(0.9).acted().seen(0.45)
    assert [end.outcome for end in progress.ended] == [Outcome.REACHED, Outcome.NEARER]


def test_a_broken_energy_is_refused():
    with pytest.raises(ValueError, match="energy=nan"):
        Progress((goal(),)).seen(float("nan"))


def test_seeing_more_after_the_end_is_refused():
    progress = Progress((goal(Energy(energy_threshold=1.0)),)).seen(0.5)
    assert progress.finished
    with pytest.raises(RuntimeError, match="new goal"):
        progress.seen(0.5)


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
        (lambda: Budget(steps=0), ValueError, "steps=0"),
        (lambda: Energy(energy_threshold=float("nan")), ValueError, "energy_threshold=nan"),
        (lambda: Plateau(plateau_window=1), ValueError, "plateau_window=1"),
        (lambda: Plateau(plateau_window=3, plateau_slope=-0.1), ValueError, "plateau_slope=-0.1"),
        (lambda: PlannerOverrides(maxnorm=0.0), ValueError, "maxnorm=0.0"),
        (lambda: PlannerOverrides(horizon=0), ValueError, "horizon=0"),
        (lambda: CloseAfter(-1), ValueError, "close_after:-1"),
        (lambda: Progress(()), ValueError, "at least one"),
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
