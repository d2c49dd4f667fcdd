"""How far what comes is from what was predicted after the action before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from support.rigs.counting_model import START, goal, observe
from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.controller.step import Observation

GOALS = ((0.6, 0.1, 0.3), (0.4, 0.0, 0.2))


@pytest.fixture
def pose(mpc, model) -> np.ndarray:
    """Where the arm is after its first action."""
    mpc.set_goals([goal(model, GOALS[0], steps=9)])
    first = mpc.step(observe(model, START))
    assert math.isnan(first.surprise), "nothing was predicted before"
    return first.target_pose


def test_an_arm_that_goes_where_it_was_sent_surprises_little(mpc, model, pose) -> None:
    assert mpc.propose(observe(model, pose)).surprise < 0.005  # the picture's pixels


def test_an_arm_that_was_pushed_surprises_by_as_much(mpc, model, pose) -> None:
    pushed = pose + np.array([0.06, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    # The latent is the position.
    assert mpc.propose(observe(model, pushed)).surprise == pytest.approx(0.06 / 3, abs=0.005)


def test_proposing_twice_says_the_same_and_committing_goes_on(mpc, model, pose) -> None:
    once, again = mpc.propose(observe(model, pose)), mpc.propose(observe(model, pose))
    assert once.surprise == again.surprise
    mpc.commit(again)
    assert mpc.propose(observe(model, pose)).surprise > 5 * once.surprise, "it has not moved since"


def test_what_was_foreseen_for_others_is_not_predicted_again(mpc, model, monkeypatch) -> None:
    mpc.set_goals([goal(model, GOALS[0], steps=9)])
    step = mpc.step(observe(model, START))
    predicted: list[object] = []
    after = Sight.after
    monkeypatch.setattr(Sight, "after", lambda *of: predicted.append(of) or after(*of))
    foresight = mpc.foresee(step)
    assert foresight is not None and foresight.expected is mpc.foresee(step).expected
    mpc.propose(observe(model, step.target_pose))
    assert len(predicted) == 1


def test_while_the_arm_is_on_its_way_two_predictions_are_compared(mpc, model, pose) -> None:
    half = (START + pose) / 2
    seen = observe(model, half)
    on_its_way = Observation(image=seen.image, pose=half, start=pose)
    assert mpc.propose(on_its_way).surprise < 0.005


@pytest.mark.parametrize("interruption", ["restart", "forget", "another goal"])
def test_after_an_interruption_nothing_is_expected(mpc, model, pose, interruption) -> None:
    if interruption == "another goal":
        mpc.set_goals([goal(model, GOALS[1])])
    else:
        getattr(mpc, interruption)()
    assert math.isnan(mpc.propose(observe(model, pose)).surprise)
