"""The life of the supervisor: activation, pause, inputs, and the pose that it trusts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.rigs.supervisor_rig import CONFIG, GOAL, HOME, TICK, Rig, fail_planner, jump, mend
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.supervisor import Supervisor


def test_from_nothing_to_moving(rig):
    fresh = Supervisor()
    assert fresh.update(rig.now).reason is Reason.NO_WORKSPACE
    with pytest.raises(RuntimeError, match="workspace"):
        fresh.activate(rig.now)

    assert rig.tick().reason is Reason.NOT_ACTIVE
    rig.image = rig.pose = rig.gripper = None
    rig.supervisor.activate(rig.now)
    assert (rig.tick().state, rig.decision.reason) == (State.IDLE, Reason.NO_GOAL)
    rig.supervisor.set_goal(GOAL)
    for name, reason in (("image", Reason.NO_IMAGE), ("pose", Reason.NO_POSE), ("gripper", Reason.NO_GRIPPER)):
        assert (rig.run(0.2).state, rig.decision.reason) == (State.WAITING_INPUT, reason)
        assert not (rig.decision.engaged or rig.decision.may_plan or rig.decision.may_move)
        setattr(rig, name, {})
    decision = rig.run(0.2)
    assert (decision.state, decision.reason) == (State.PLANNING, Reason.PLANNING)
    assert decision.may_plan and decision.engaged and not decision.may_move
    decision = rig.execute()
    assert decision.may_move and decision.reason is Reason.NONE and decision.message == ""
    rig.supervisor.motion_done()
    assert rig.tick().state is State.PLANNING
    rig.supervisor.finish_goal("in 3 steps")
    decision = rig.tick()
    assert (decision.state, decision.reason) == (State.IDLE, Reason.GOAL_FINISHED) and "in 3 steps" in decision.message


def test_pausing_lets_the_arm_be_moved_by_hand(rig):
    rig.start()
    old = rig.plan()
    rig.execute()
    rig.supervisor.pause()
    assert not rig.supervisor.accept_plan(old, rig.now)
    assert (rig.tick().state, rig.decision.reason) == (State.PAUSED, Reason.PAUSED)
    jump(rig)
    assert rig.run(1.0).state is State.PAUSED
    rig.supervisor.unpause()
    assert rig.tick().state is State.PLANNING
    assert np.allclose(rig.decision.measured.position, rig.state[:3])
    assert not rig.supervisor.accept_plan(old, rig.now)
    rig.supervisor.pause()
    rig.tick()
    assert rig.supervisor.resume(rig.now) is Reason.PAUSED
    assert rig.tick().state is State.PLANNING
    assert rig.supervisor.resume(rig.now) is None


def test_a_jump_while_nothing_moves_is_no_fault(rig):
    rig.supervisor.activate(rig.now)
    rig.run(0.2)
    jump(rig)
    rig.tick()
    rig.supervisor.set_goal(GOAL)
    assert rig.run(0.2).state is State.PLANNING


def test_an_arm_that_moves_at_its_limits_does_not_jump(rig):
    rig.start()
    rig.execute()
    for _ in range(50):
        rig.state[1] += CONFIG.limits.linear_speed * TICK
        assert rig.tick().state is State.EXECUTING


def test_deactivation_stops_and_activation_needs_new_inputs(rig):
    rig.start()
    fail_planner(rig)
    rig.supervisor.deactivate()
    assert rig.tick().reason is Reason.NOT_ACTIVE
    rig.image = None
    rig.supervisor.activate(rig.now)
    assert rig.tick().reason is Reason.NO_IMAGE
    rig.image = {}
    assert rig.run(0.2).state is State.PLANNING, "the goal stays"
    rig.supervisor.cleanup()
    assert rig.tick().reason is Reason.NO_WORKSPACE


def test_only_stopping_reasons_can_be_reported(rig):
    with pytest.raises(ValueError, match="NO_GOAL"):
        rig.supervisor.report(Reason.NO_GOAL, "", rig.now)


@pytest.mark.parametrize(
    ("state", "gripper", "word"),
    [
        (HOME * [1000, 1000, 1000, 1, 1, 1, 1], 0.0, "MILLIMETRES"),
        (HOME, 0.0399, "FINGER_METRES"),
        (HOME * [1, 1, 1, 0, 1, 1, 1], 0.0, "GRIPPER_POINTS_UP"),
    ],
)
def test_wrong_units_are_named_before_anything_moves(rig, state, gripper, word):
    rig.supervisor.activate(rig.now)
    rig.supervisor.set_goal(GOAL)
    rig.state = state
    if word == "GRIPPER_POINTS_UP":
        rig.pose = {"quaternion": np.array([0.0, 0.0, 0.0, 1.0])}
    rig.gripper = {"closedness": gripper}
    decision = rig.run(0.2)
    assert decision.reason is Reason.INPUT_IMPLAUSIBLE and word in decision.message
    mend(rig)
    assert rig.run(0.7).state is State.PLANNING
    rig.gripper = {"closedness": gripper}  # under way the fingers pass through every value
    assert rig.run(0.2).state is State.PLANNING


def test_findings_can_be_ignored_by_name():
    rig = Rig(replace(CONFIG, ignore_sanity=frozenset({"GRIPPER_POINTS_UP"})))
    rig.pose = {"quaternion": np.array([0.0, 0.0, 0.0, 1.0])}
    rig.start()


def test_without_gripper_feedback_none_is_waited_for():
    rig = Rig(replace(CONFIG, gripper_timeout=None))
    rig.gripper = None
    rig.start()
    assert rig.run(3.0).state is State.PLANNING


def test_the_measured_pose_is_given_only_while_it_can_be_trusted(rig):
    rig.start()
    assert np.allclose(rig.decision.measured.position, HOME[:3])
    rig.pose = {"frame_id": "world"}
    assert rig.tick().measured is None
    rig.pose = {}
    rig.tick()
    rig.pose = None
    assert rig.run(0.1).measured is not None
    assert rig.run(0.3).measured is None


def test_a_pose_that_something_is_wrong_with_is_not_braked_by(rig):
    rig.start()
    rig.stamp_offset["pose"] = -5.0
    assert (rig.tick().reason, rig.decision.measured) == (Reason.POSE_STALE, None)
    rig.stamp_offset["pose"] = 0.0
    rig.run(1.0)
    rig.execute()
    jump(rig)
    assert (rig.tick().reason, rig.decision.measured) == (Reason.POSE_JUMPED, None)
    rig.supervisor.resume(rig.now)
    assert np.allclose(rig.tick().measured.position, rig.state[:3])


def test_the_pose_of_an_arm_outside_the_box_is_right_all_the_same(rig):
    rig.start()
    for _ in range(100):
        rig.state[2] += CONFIG.limits.linear_speed * TICK
        rig.tick()
    assert rig.decision.reason is Reason.POSE_OUTSIDE_WORKSPACE
    assert np.allclose(rig.decision.measured.position, rig.state[:3])
