"""A gripper that fails holds the sub-goal: the step is done again after ~/resume; real threads and clock."""

from __future__ import annotations

import numpy as np
import pytest

from support.rigs.plain_loop import START, loop_settings, running, wait_until
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.worldmodel import PointMassWorldModel


def goal(model: PointMassWorldModel, gripper: str, *way: float) -> SubGoal:
    image = model.render(START + np.array(way))
    return SubGoal(image=image, endings=(Budget(steps=1),), gripper=GripperIntent.parse(gripper))


@pytest.mark.parametrize("pipelined", [False, True], ids=["blocking", "pipelined"])
def test_fingers_that_do_not_close_hold_the_sub_goal_until_they_do(model, mpc, pipelined) -> None:
    with running(loop_settings(pipelined=pipelined, finger_timeout=0.6), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        ports.hand = lambda closedness: 0.0
        plain.set_goals(goal(model, "closed", 0.02, 0.0, 0.0), goal(model, "closed", 0.1, 0.0, 0.0))
        assert ports.wait_for("GRIPPER_NOT_FOLLOWING").state is State.FAULT
        assert [step.goal_index for step in ports.steps] == [0] and ports.told == [1.0]
        assert loop.call(loop.resume) is Reason.GRIPPER_NOT_FOLLOWING
        wait_until(lambda: len(ports.told) == 2)
        ports.wait_for("GRIPPER_NOT_FOLLOWING")
        assert [step.goal_index for step in ports.steps] == [0, 0] and ports.told == [1.0, 1.0]
        ports.hand = float
        loop.call(loop.resume)
        ports.wait_for("GOAL_FINISHED")
        assert [step.goal_index for step in ports.steps] == [0, 0, 0, 1] and ports.told == [1.0] * 3


def test_a_gripper_that_refuses_holds_the_sub_goal(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        troubles: list[Violation] = []

        def refuse(closedness: float) -> float:
            troubles.append(Violation(Reason.GRIPPER_REFUSED, "not homed"))
            return 0.0

        ports.hand = refuse
        ports.trouble = lambda: troubles.pop() if troubles else None
        plain.set_goals(goal(model, "closed", 0.02, 0.0, 0.0), goal(model, "closed", 0.1, 0.0, 0.0))
        assert "homed" in ports.wait_for("GRIPPER_REFUSED").message
        ports.hand = float
        loop.call(loop.resume)
        ports.wait_for("GOAL_FINISHED")
        assert [step.goal_index for step in ports.steps] == [0, 0, 1]


def test_an_object_that_keeps_the_fingers_apart_is_a_grasp(model, mpc) -> None:
    with running(loop_settings(finger_timeout=0.6), mpc, model) as plain:
        plain.ports.hand = lambda closedness: min(closedness, 0.4)
        plain.set_goals(goal(model, "closed", 0.02, 0.0, 0.0), goal(model, "open", 0.1, 0.0, 0.0))
        plain.ports.wait_for("GOAL_FINISHED")
        assert plain.ports.told == [1.0, 0.0]


def test_a_hand_that_lets_go_stops_the_arm_and_is_closed_again_when_resumed(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        long = SubGoal(
            image=model.render(START + np.array([0.2, 0.2, 0.1])),
            endings=(Budget(steps=20),),
            gripper=GripperIntent.parse("closed"),
        )
        plain.set_goals(long)
        wait_until(lambda: len(ports.steps) >= 3)
        ports.closedness = 0.05
        ports.wait_for("GRIPPER_LET_GO")
        loop.call(loop.resume)
        wait_until(lambda: ports.told == [1.0, 1.0])
        assert ports.closedness == 1.0


def test_a_step_whose_fingers_still_move_counts_when_something_else_interrupts_it(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        ports.hand = lambda closedness: 0.0
        plain.set_goals(goal(model, "closed", 0.02, 0.0, 0.0), goal(model, "closed", 0.1, 0.0, 0.0))
        wait_until(lambda: len(ports.steps) == 1)
        loop.call(loop.pause)
        loop.wait_silent()
        ports.hand = float
        loop.call(loop.unpause)
        ports.wait_for("GOAL_FINISHED")
        assert [step.goal_index for step in ports.steps] == [0, 1]
