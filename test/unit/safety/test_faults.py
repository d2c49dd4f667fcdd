"""What faults the arm lasts until somebody resumes."""

from __future__ import annotations

import numpy as np
import pytest

from support.rigs.supervisor_rig import HOME, Rig, fail_planner, jump
from vjepa_mpc.safety.reasons import Effect, Reason, State


def lose_rank(rig: Rig) -> None:
    rig.supervisor.report(Reason.RANK_LOST, "rank 0 of 2 lost another rank", rig.now)


def fail_loop(rig: Rig) -> None:
    rig.supervisor.report(Reason.CONTROL_LOOP_ERROR, "KeyError: 'x'", rig.now)


def refuse_setpoint(rig: Rig) -> None:
    rig.supervisor.report(Reason.SETPOINT_INVALID, "linear speed", rig.now)


def report(reason: Reason, detail: str):
    return lambda rig: rig.supervisor.report(reason, detail, rig.now)


def offer(**changes):
    def tamper(rig: Rig) -> None:
        rig.supervisor.motion_done()
        assert not rig.supervisor.accept_plan(rig.plan(**changes), rig.now)

    return tamper


def late(rig: Rig) -> None:
    accepted = []
    for _ in range(3):
        rig.supervisor.motion_done()
        accepted.append(rig.supervisor.accept_plan(rig.plan(seconds=6.0), rig.now))
    assert accepted == [True, True, False]


FAULTS = [
    (Reason.POSE_JUMPED, jump, "0.200 m"),
    (Reason.PLANNER_EXCEPTION, fail_planner, "out of memory"),
    (Reason.RANK_LOST, lose_rank, "rank 0 of 2"),
    (Reason.SETPOINT_INVALID, refuse_setpoint, "linear speed"),
    (Reason.CONTROL_LOOP_ERROR, fail_loop, "KeyError"),
    (Reason.GRIPPER_REFUSED, report(Reason.GRIPPER_REFUSED, "position 0.04"), "homed first"),
    (Reason.GRIPPER_NOT_FOLLOWING, report(Reason.GRIPPER_NOT_FOLLOWING, "at 0.02"), "at 0.02"),
    (Reason.GRIPPER_LET_GO, report(Reason.GRIPPER_LET_GO, "at 0.02"), "at 0.02"),
    (Reason.ARM_NOT_FOLLOWING, report(Reason.ARM_NOT_FOLLOWING, "for 2.0 s"), "for 2.0 s"),
    (Reason.FRAME_SUSPECTED, report(Reason.FRAME_SUSPECTED, "90° from it"), "90°"),
    (Reason.PLAN_INVALID, offer(actions=np.full((1, 7), np.nan)), "not finite"),
    (Reason.PLAN_INVALID, offer(target_pose=np.full(7, np.inf)), "not finite"),
    (Reason.PLAN_INVALID, offer(actions=np.zeros((1, 4))), "[1, 4]"),
    (Reason.PLAN_INVALID, offer(actions=np.zeros((0, 7))), "[0, 7]"),
    (Reason.PLAN_INVALID, offer(actions=np.eye(7)[:1] * 0.2), "0.200 m"),
    (Reason.PLAN_INVALID, offer(actions=np.eye(7)[3:4]), "1.00 rad"),
    (Reason.PLAN_INVALID, offer(target_pose=HOME + np.eye(7)[6] * 1.1), "1.1"),
    (Reason.PLAN_INVALID, offer(energies=(0.5, float("nan"))), "nothing finite"),
    (Reason.DEADLINE_MISSED, late, "3 times"),
]


def test_every_fault_is_tested():
    assert {reason for reason, _, _ in FAULTS} == {reason for reason in Reason if reason.effect is Effect.FAULTS}


@pytest.mark.parametrize(("reason", "tamper", "words"), FAULTS, ids=lambda value: getattr(value, "name", None))
def test_faults_last_until_resumed_and_then_start_anew(rig, reason, tamper, words):
    rig.start()
    old = rig.plan()
    rig.execute()
    tamper(rig)
    decision = rig.tick()
    assert (decision.state, decision.reason) == (State.FAULT, reason) and words in decision.message
    rig.state = HOME.copy()
    assert rig.run(3.0).state is State.FAULT
    rig.supervisor.unpause()
    assert rig.tick().state is State.FAULT
    assert rig.supervisor.resume(rig.now) is reason
    assert rig.tick().state is State.PLANNING
    assert not rig.supervisor.accept_plan(old, rig.now)
    rig.execute()


def test_the_first_fault_is_the_one_that_is_told(rig):
    rig.start()
    fail_planner(rig)
    refuse_setpoint(rig)
    assert rig.tick().reason is Reason.PLANNER_EXCEPTION
