"""While plans mean nothing the arm stands still, but goes on looking; real threads and clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np

from support.rigs.plain_loop import CONFIG, START, loop_settings, running, wait_until
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import Outlook, PlanResult
from vjepa_mpc.worldmodel import PointMassWorldModel

GOAL = START + np.array([0.15, 0.1, 0.05])


def test_a_camera_that_shows_another_place_holds_within_a_few_steps_and_goes_on_when_it_is_put_right() -> None:
    model = PointMassWorldModel()
    with running(loop_settings(frozen_image_time=60.0), VisualMPC(model, CONFIG), model) as plain:
        ports = plain.ports
        render, elsewhere = model.render, model.render(START - (0.1, 0.1, 0.1))
        model.render = lambda pose: elsewhere  # type: ignore[method-assign,misc,assignment]
        plain.set_goals(SubGoal(image=render(GOAL), endings=(Budget(steps=12),)))
        ports.wait_for("NO_PROGRESS")
        assert len(ports.steps) == 3
        plain.loop.wait_silent()
        sent = len(ports.setpoints)
        model.render = render  # type: ignore[method-assign]
        ports.wait_for("GOAL_FINISHED")
        assert len(ports.setpoints) > sent and np.linalg.norm(ports.position - GOAL) < 0.01


def test_a_goal_that_is_not_seen_moves_nothing_and_the_next_one_is_followed() -> None:
    class Blind(VisualMPC):
        blind = True

        def propose(self, observation):  # type: ignore[no-untyped-def]
            step = super().propose(observation)
            if not self.blind or not isinstance(step.plan, PlanResult):
                return step
            looks.append(step)
            return replace(step, plan=replace(step.plan, outlook=Outlook(still=1.199, expected=1.195, drawn=1.199)))

    looks: list[object] = []
    model = PointMassWorldModel()
    controller = Blind(model, CONFIG)
    with running(loop_settings(), controller, model) as plain:
        plain.set_goals(SubGoal(image=model.render(GOAL), endings=(Budget(steps=4),)))
        plain.ports.wait_for("GOAL_NOT_SEEN")
        wait_until(lambda: len(looks) >= 3)
        told = [name for name, _ in groupby(decision.reason.name for decision, _, _ in plain.ports.statuses)]
        assert told.count("GOAL_NOT_SEEN") == 1, "it stands, though it is looked at again and again"
        assert not plain.ports.steps and np.array_equal(plain.ports.position, START)
        controller.blind = False
        plain.set_goals(SubGoal(image=model.render(GOAL), endings=(Budget(steps=4),)))
        plain.ports.wait_for("GOAL_FINISHED")
