"""What is proposed changes nothing; what is committed counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.rigs.counting_model import CONFIG, START, goal, observe
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.geometry.gripper_joint import CLOSED
from vjepa_mpc.goals.endings.energy import Energy


def same(first, second) -> bool:
    """Whether two steps are equal, bit for bit, but for the seconds that they took."""
    assert first.ended == second.ended and first.energies == second.energies
    assert (first.goal_index, first.goal_step, first.energy) == (second.goal_index, second.goal_step, second.energy)
    pairs = ((first.actions, second.actions), (first.target_pose, second.target_pose))
    return all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"warm_start": True, "rollout": 2},
        {"sampling": "sobol"},
        {"sampling": "antithetic", "sample_decay": 1.5},
        {"keep_elites": 0.3, "warm_start": True},
    ],
    ids=str,
)
def test_proposals_from_the_same_state_are_equal_bit_for_bit(model, change):
    mpc = VisualMPC(model, replace(CONFIG, **change), seed=2)
    mpc.set_goals(
        [
            goal(model, START[:3], steps=2, endings=(Energy(energy_threshold=0.005),)),
            goal(model, (0.5, 0.0, 0.2), steps=2, gripper="closed"),
            goal(model, (0.6, 0.1, 0.3), steps=3),
        ]
    )
    pose = START
    while True:
        first, second = mpc.propose(observe(model, pose)), mpc.propose(observe(model, pose))
        assert same(first, second)
        mpc.propose(observe(model, np.array([0.7, 0.2, 0.4, np.pi, 0.0, 0.0, 0.4])))  # elsewhere, and not accepted
        assert same(mpc.propose(observe(model, pose)), first)
        mpc.commit(second)
        if first.finished:
            break
        pose = first.target_pose
    assert [end.index for end in first.ended] == [0, 1, 2]


def test_what_is_not_committed_takes_no_part_in_what_follows(model):
    def plans(refused: int) -> list:
        mpc = VisualMPC(model, replace(CONFIG, warm_start=True), seed=4)
        mpc.set_goals([goal(model, (0.5, 0.0, 0.2), steps=2), goal(model, (0.6, 0.1, 0.3), steps=2)])
        steps, pose = [], START
        while not (steps and steps[-1].finished):
            for _ in range(refused):
                mpc.propose(observe(model, pose))
            steps.append(mpc.step(observe(model, pose)))
            pose = steps[-1].target_pose
        return steps

    assert all(same(*pair) for pair in zip(plans(refused=0), plans(refused=3), strict=True))


def test_a_step_counts_and_holds_the_gripper_only_once_it_is_committed(mpc, model):
    mpc.set_goals([goal(model, START[:3], steps=1, gripper="closed"), goal(model, START[:3], steps=1)])
    for _ in range(3):
        step = mpc.propose(observe(model))
        assert (step.goal_index, step.goal_step, step.target_pose[6]) == (0, 1, CLOSED)
        assert step.actions[0, 6] == pytest.approx(1.0), "the fingers have not been told yet"
    mpc.commit(step)
    assert mpc.propose(observe(model)).goal_index == 1


def test_a_sub_goal_that_an_uncommitted_step_ended_is_told_again(mpc, model):
    mpc.set_goals([goal(model, START[:3], steps=1), goal(model, (0.5, 0.0, 0.2), steps=1)])
    mpc.step(observe(model))
    assert [mpc.propose(observe(model)).ended_by for _ in range(2)] == ["BUDGET", "BUDGET"]


def test_a_commit_after_the_goal_was_replaced_keeps_what_the_gripper_was_told(mpc, model):
    mpc.set_goals([goal(model, START[:3], steps=1, gripper="closed")])
    step = mpc.propose(observe(model))
    mpc.set_goals([goal(model, START[:3], steps=3, gripper="closed")])
    mpc.commit(step)
    again = mpc.propose(observe(model))
    assert again.goal_step == 1 and again.actions[0, 6] == pytest.approx(0.0, abs=1e-6)
