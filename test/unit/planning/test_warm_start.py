"""The controller begins a plan at the previous one as long as that one still counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig, CEMPlanner, PlanResult
from vjepa_mpc.worldmodel import PointMassWorldModel

POSE = np.array([0.4, -0.1, 0.3, np.pi, 0.0, 0.2, 0.0])


@pytest.fixture
def begun_at(monkeypatch: pytest.MonkeyPatch) -> list[PlanResult | None]:
    """The plans that plans began at."""
    calls: list[PlanResult | None] = []
    plan = CEMPlanner.plan

    def watched(self: CEMPlanner, *args: Any, previous: PlanResult | None = None, **options: Any) -> PlanResult:
        calls.append(previous)
        return plan(self, *args, previous=previous, **options)

    monkeypatch.setattr(CEMPlanner, "plan", watched)
    return calls


def controller(model: PointMassWorldModel, steps: int = 4) -> tuple[VisualMPC, Observation, list[SubGoal]]:
    config = CEMConfig(rollout=2, samples=16, topk=4, cem_steps=2, warm_start=True)
    goals = [
        SubGoal(image=model.render(np.array(position)), endings=(Budget(steps=steps),))
        for position in ([0.5, 0, 0.3], [0.6, 0, 0.3])
    ]
    return VisualMPC(model, config), Observation(image=model.render(POSE), pose=POSE), goals


def test_each_step_begins_at_the_previous_plan_until_the_sub_goal_ends(begun_at: list[PlanResult | None]) -> None:
    mpc, observation, goals = controller(PointMassWorldModel(), steps=2)
    mpc.set_goals(goals)
    for _ in range(4):
        mpc.step(observation)
    assert [previous is None for previous in begun_at] == [True, False, True, False]


@pytest.mark.parametrize(
    "change",
    [
        lambda mpc, observation, goals: [mpc.step(observation), mpc.set_goals(goals)],
        lambda mpc, observation, _: mpc.propose(observation),
        lambda mpc, observation, _: [mpc.step(observation), mpc.forget()],
    ],
    ids=["another goal", "not committed", "forgotten"],
)
def test_a_plan_that_no_longer_counts_is_not_begun_at(
    begun_at: list[PlanResult | None], change: Callable[..., None]
) -> None:
    mpc, observation, goals = controller(PointMassWorldModel())
    mpc.set_goals(goals)
    change(mpc, observation, goals)
    mpc.step(observation)
    assert begun_at == [None, None]
