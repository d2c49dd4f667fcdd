"""An arm that does not follow, or goes elsewhere, is told by name and not led any more; real threads and clock."""

from __future__ import annotations

import numpy as np
import pytest

from support.rigs.plain_loop import BOX, START, loop_settings, running, wait_until
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.worldmodel import PointMassWorldModel

TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # a quarter about the vertical


def goal(model: PointMassWorldModel, *way: float) -> SubGoal:
    return SubGoal(image=model.render(START + np.array(way)), endings=(Budget(steps=50),))


@pytest.mark.parametrize("pipelined", [False, True], ids=["blocking", "pipelined"])
@pytest.mark.parametrize("way", [0.2, 0.04], ids=["beyond the reach of a set-point", "within"])
def test_an_arm_that_never_comes_is_a_fault_and_goes_on_when_it_is_resumed(model, mpc, pipelined, way) -> None:
    with running(loop_settings(pipelined=pipelined, following_timeout=0.5), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        ports.obeys = False
        plain.set_goals(goal(model, way, 0.0, 0.0))
        decision = ports.wait_for("ARM_NOT_FOLLOWING")
        assert decision.state is State.FAULT and "nobody listens" in decision.message
        loop.wait_silent()
        sent = len(ports.setpoints)
        ports.obeys = True
        assert len(ports.setpoints) == sent, "nothing is sent to an arm whose controller may begin at any moment"
        assert loop.call(loop.resume) is Reason.ARM_NOT_FOLLOWING
        wait_until(lambda: np.linalg.norm(ports.position - START) > 0.03)
        assert ports.statuses[-1][0].reason in (Reason.NONE, Reason.PLANNING)


def test_a_pose_in_a_frame_that_is_turned_is_a_fault_before_the_arm_is_ten_centimetres_away(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        ports = plain.ports
        ports.measured = lambda setpoint: START + TURN @ (setpoint - START)
        plain.set_goals(goal(model, 0.2, 0.0, 0.0))
        assert "° from it" in ports.wait_for("FRAME_SUSPECTED").message
        plain.loop.wait_silent()
        assert np.linalg.norm(ports.position - START) < 0.1


def test_the_record_says_when_the_box_clips_an_action(model, mpc) -> None:
    narrow = WorkspaceBox(lower=(0.3, -0.1, 0.05), upper=BOX.upper)
    with running(loop_settings(workspace=narrow), mpc, model) as plain:
        ports = plain.ports
        plain.set_goals(goal(model, 0.0, -0.2, 0.0))
        wait_until(lambda: len(ports.steps) >= 3)
        said = [step.clipped for _, _, step in ports.statuses if step is not None]
        assert "clips the action: it moves the target's y by +" in said[-1]


def test_the_record_says_nothing_of_a_box_that_clips_nothing(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        plain.set_goals(goal(model, 0.02, 0.02, 0.0))
        wait_until(lambda: len(plain.ports.steps) >= 2)
        assert not any(step.clipped for _, _, step in plain.ports.statuses if step is not None)
