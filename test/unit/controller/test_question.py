"""What a planner was asked is enough to ask it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from support.rigs.counting_model import CONFIG, START, goal, observe
from vjepa_mpc.controller.planners import Planners
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.planning import GRIPPER, Goal


@pytest.mark.parametrize("change", [{}, {"warm_start": True, "keep_elites": 0.5}], ids=str)
@pytest.mark.parametrize("gripper", ["free", "closed"])
def test_a_fresh_planner_that_is_asked_the_same_answers_the_same(model, change, gripper):
    config = replace(CONFIG, **change)
    mpc = VisualMPC(model, config, seed=3)
    mpc.set_goals([goal(model, (0.6, 0.1, 0.3), steps=3, gripper=gripper)])
    proposals = np.zeros((1, config.rollout, 7))
    pose = START
    for number in range(3):
        observation = replace(observe(model, pose), proposals=proposals if number == 1 else None)
        step = mpc.step(observation)
        again = Planners(model, None, 77, None, "square").plan(
            config, model.encode(observation.image[None])[0], step.question
        )
        assert torch.equal(again.actions, step.plan.actions)
        assert torch.equal(again.elites, step.plan.elites) and again.energies == step.plan.energies
        assert torch.equal(again.elite_energies, step.plan.elite_energies)
        assert (GRIPPER in step.question.pins) == (gripper == "closed")
        assert (step.question.previous is not None) == (number > 0)
        pose = step.target_pose


def test_elites_come_with_their_energies_lowest_first(model):
    mpc = VisualMPC(model, CONFIG, seed=3)
    mpc.set_goals([goal(model, (0.6, 0.1, 0.3), steps=3)])
    plan = mpc.step(observe(model, START)).plan
    assert plan.elite_energies.shape == (len(plan.elites),)
    assert torch.equal(plan.elite_energies, plan.elite_energies.sort().values)
    assert plan.elite_energies[0].item() == pytest.approx(min(plan.energies[: CONFIG.cem_steps]), rel=1e-6)


def test_the_same_picture_has_the_same_digest_and_another_one_another(model):
    latents = [torch.full((1, 3), value) for value in (0.5, 0.5, 0.25)]
    first, same, other = (Goal(latent).sha256 for latent in latents)
    assert first == same != other and len(first) == 64


def test_keeping_the_candidates_changes_no_plan(model):
    plans = []
    for keep in (False, True):
        mpc = VisualMPC(model, CONFIG, seed=3)
        mpc.keep_candidates = keep
        mpc.set_goals([goal(model, (0.6, 0.1, 0.3), steps=3)])
        plans.append(mpc.step(observe(model, START)).plan)
    without, kept = plans
    assert torch.equal(without.actions, kept.actions) and without.energies == kept.energies
    assert without.history is None
    assert kept.history[-1].actions.shape == (CONFIG.samples, CONFIG.rollout, 7)


def test_what_is_foreseen_is_the_model_s_prediction_of_the_chosen_action_and_changes_nothing(model):
    mpc = VisualMPC(model, CONFIG, seed=3)
    mpc.set_goals([goal(model, (0.6, 0.1, 0.3), steps=3)])
    observation = observe(model, START)
    step = mpc.propose(observation)
    foresight = mpc.foresee(step)
    seen = model.encode(observation.image[None])[0]
    rollout = model.start_rollout(seen, torch.as_tensor(START, dtype=torch.float32), samples=1)
    assert torch.equal(foresight.seen, seen)
    assert torch.equal(foresight.expected, rollout.step(step.plan.actions[:1])[0])
    assert torch.equal(mpc.propose(observation).plan.actions, step.plan.actions)


def test_nothing_is_foreseen_of_a_step_that_was_not_planned(model):
    mpc = VisualMPC(model, CONFIG, seed=3)
    mpc.set_goals([goal(model, (0.6, 0.1, 0.3), steps=1)])
    mpc.step(observe(model, START))
    finished = mpc.propose(observe(model, START))
    assert finished.finished and mpc.foresee(finished) is None
