"""The playing controller: inside the box, within the longest step, everywhere, and the same again."""

from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.controller.choices.play import PlayController
from vjepa_mpc.controller.interface import NoGoalError
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.limits import WorkspaceBox

BOX = WorkspaceBox(lower=(0.3, -0.2, 0.05), upper=(0.6, 0.2, 0.4))
IMAGE = np.zeros((4, 4, 3), np.uint8)
START = np.array([0.45, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])


def playing(seed: int = 0, longest: float = 0.05, **options: float) -> PlayController:
    controller = PlayController(PlayController.Options(**options), BOX, longest, seed)
    controller.set_goals(())
    return controller


def play(controller: PlayController, count: int, start: np.ndarray = START) -> list[Step]:
    """Carry out actions as an exact arm does."""
    steps, pose = [], start
    for _ in range(count):
        steps.append(controller.propose(Observation(image=IMAGE, pose=pose)))
        controller.commit(steps[-1])
        pose = steps[-1].target_pose
    return steps


def test_it_stays_inside_and_gets_about() -> None:
    targets = np.array([step.target_pose for step in play(playing(), 1000)])
    assert (targets[:, :3] >= np.array(BOX.lower) + 0.0099).all()
    assert (targets[:, :3] <= np.array(BOX.upper) - 0.0099).all()
    reached = np.ptp(targets[:, :3], axis=0) / np.subtract(BOX.upper, BOX.lower)
    assert (reached > 0.8).all(), reached
    assert set(np.unique(targets[:, 6])) == {0.0, 1.0}
    np.testing.assert_allclose(targets[:, 3:6], np.tile(START[3:6], (1000, 1)))


def test_steps_have_all_lengths_up_to_the_longest() -> None:
    moves = np.array([step.actions[0, :3] for step in play(playing(longest=0.03), 500)])
    lengths = np.linalg.norm(moves, axis=1)
    assert lengths.max() <= 0.03 + 1e-9
    moved = lengths[lengths > 0]
    assert np.quantile(moved, 0.1) < 0.01 < 0.02 < np.quantile(moved, 0.9)


def test_the_hand_toggles_while_the_arm_rests() -> None:
    steps = play(playing(toggle=0.3), 500)
    toggles = [step for step in steps if step.actions[0, 6]]
    assert 100 < len(toggles) < 200
    assert all(not step.actions[0, :6].any() for step in toggles)
    assert not any(step.actions[0, 6] for step in play(playing(toggle=0.0), 200))


def test_directions_turn_gradually() -> None:
    def cosines(momentum: float) -> float:
        moves = np.array([step.actions[0, :3] for step in play(playing(momentum=momentum, toggle=0.0), 500)])
        units = moves / np.linalg.norm(moves, axis=1, keepdims=True)
        return float(np.median((units[1:] * units[:-1]).sum(axis=1)))

    assert cosines(0.95) > cosines(0.0)


def test_a_refused_proposal_leaves_no_trace() -> None:
    asked, other = playing(seed=3), playing(seed=3)
    for _ in range(5):
        asked.propose(Observation(image=IMAGE, pose=START))
    for left, right in zip(play(asked, 20), play(other, 20), strict=True):
        np.testing.assert_array_equal(left.actions, right.actions)


def test_another_seed_plays_otherwise() -> None:
    first, second = (np.array([s.actions[0] for s in play(playing(seed), 20)]) for seed in (0, 1))
    assert not np.allclose(first, second)


def test_from_outside_it_comes_back_in_steps() -> None:
    outside = START + np.array([0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    steps = play(playing(toggle=0.0), 20, outside)
    assert max(np.linalg.norm(step.actions[0, :3]) for step in steps) <= 0.05 + 1e-9
    assert steps[-1].target_pose[0] <= BOX.upper[0]


def test_it_rests_once_cleared() -> None:
    controller = playing()
    controller.clear_goals()
    with pytest.raises(NoGoalError):
        controller.propose(Observation(image=IMAGE, pose=START))


def test_steps_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"play\.shortest=0\.1 > play\.longest=0\.05"):
        PlayController.Options(shortest=0.1)
