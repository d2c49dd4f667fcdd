"""What a plan says of itself beside the published search, and doing nothing where that is as good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.gripper_intent import Closed
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig, CEMPlanner, Outlook
from vjepa_mpc.planning.pins import GRIPPER
from vjepa_mpc.worldmodel import PointMassWorldModel

CONFIG = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.05)
POSE = torch.tensor([0.5, 0.0, 0.2, torch.pi, 0.0, 0.0, 0.0])
HERE = POSE[None, :3]


def l1(latent: torch.Tensor, goal: torch.Tensor) -> float:
    return float((latent - goal).abs().mean())


def test_the_outlook_is_what_the_model_predicts_of_the_plan_and_of_doing_nothing() -> None:
    goal = HERE + torch.tensor([0.03, -0.02, 0.04])
    plan = CEMPlanner(PointMassWorldModel(), CONFIG).plan(HERE, POSE, goal, keep_candidates=True)
    outlook = plan.outlook
    assert outlook is not None and plan.history is not None
    assert outlook.still == pytest.approx(l1(HERE, goal))
    assert outlook.expected == pytest.approx(l1(HERE + plan.actions[0, :3], goal))
    assert outlook.drawn == pytest.approx(float(plan.history[0].energies.mean()))
    assert plan.candidate_steps == CONFIG.candidate_steps, "the search is the same"


def test_doing_nothing_keeps_what_is_pinned() -> None:
    plan = CEMPlanner(PointMassWorldModel(), CONFIG).plan(HERE, POSE, HERE, pins={GRIPPER: 0.6})
    assert plan.stay is not None
    assert plan.stay.tolist() == [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, pytest.approx(0.6)]]


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_ratios_do_not_depend_on_the_scale_of_energies(scale: float) -> None:
    outlook = Outlook(still=0.4 * scale, expected=0.3 * scale, drawn=0.5 * scale)
    assert outlook.promise == pytest.approx(0.1 * scale)
    assert (outlook.contrast, outlook.gain) == (pytest.approx(0.5), pytest.approx(0.5))
    assert Outlook(still=0.0, expected=0.0, drawn=0.0).gain == 0.0


@pytest.mark.parametrize(
    ("outlook", "arrived"),
    [
        (Outlook(still=0.02, expected=0.019, drawn=0.1), True),
        (Outlook(still=0.08, expected=0.02, drawn=0.1), False),  # there is something to gain
        (Outlook(still=1.19, expected=1.19, drawn=1.2), False),  # it does not matter what is done
    ],
)
def test_it_looks_like_a_goal_only_where_all_else_is_worse(outlook: Outlook, arrived: bool) -> None:
    assert outlook.arrived is arrived


@pytest.mark.parametrize("seed", range(5))
def test_a_goal_like_the_present_picture_leaves_the_arm_where_it_is(seed: int) -> None:
    model = PointMassWorldModel()
    picture = model.render(POSE)
    steps = {}
    for least_gain in (0.0, CONFIG.least_gain):
        mpc = VisualMPC(model, replace(CONFIG, least_gain=least_gain, cem_steps=2), seed=seed)
        mpc.set_goals([SubGoal(image=picture)])
        steps[least_gain] = mpc.step(Observation(image=picture, pose=POSE.double().numpy()))
    for step in steps.values():
        assert not step.actions.any(), "the mean of the search is worse than doing nothing"
        assert np.allclose(step.target_pose, POSE, atol=1e-6)


def test_a_gripper_that_is_to_close_closes_where_the_arm_stays() -> None:
    model = PointMassWorldModel()
    picture = model.render(POSE)
    mpc = VisualMPC(model, CONFIG)
    mpc.set_goals([SubGoal(image=picture, gripper=Closed())])
    step = mpc.step(Observation(image=picture, pose=POSE.double().numpy()))
    assert not step.actions[0, :3].any() and step.target_pose[6] == 1.0
