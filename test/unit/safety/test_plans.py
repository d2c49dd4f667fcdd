"""Which plans are carried out."""

from __future__ import annotations

import numpy as np
import pytest

from support.rigs.supervisor_rig import GOAL, HOME
from vjepa_mpc.safety.reasons import Reason, State


def test_an_unusable_plan_stops_the_arm_before_it_is_due(rig):
    rig.start()
    rig.execute()
    rig.supervisor.examine_plan(rig.plan(), rig.now)
    assert rig.tick().state is State.EXECUTING
    rig.supervisor.examine_plan(rig.plan(epoch=rig.supervisor.epoch - 1, actions=np.full((1, 7), np.nan)), rig.now)
    assert rig.tick().state is State.EXECUTING
    rig.supervisor.examine_plan(rig.plan(actions=np.full((1, 7), np.nan)), rig.now)
    assert rig.tick().reason is Reason.PLAN_INVALID


def test_one_late_plan_is_forgiven_by_one_in_time(rig):
    rig.start()
    for seconds in (6.0, 6.0, 0.3, 6.0, 6.0, 0.3):
        assert rig.supervisor.accept_plan(rig.plan(seconds=seconds), rig.now)
        rig.supervisor.motion_done()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"observed_at": -1000.0}, Reason.PLAN_TOO_OLD),
        ({"target_pose": HOME + np.array([0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0])}, Reason.PLAN_TOO_FAR),
        ({"target_pose": HOME + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 0.0])}, Reason.PLAN_TOO_FAR),
    ],
)
def test_plans_for_another_moment_hold_and_are_made_again(rig, changes, reason):
    rig.start()
    assert not rig.supervisor.accept_plan(rig.plan(**changes), rig.now)
    assert rig.tick().reason is reason
    assert rig.run(0.7).state is State.PLANNING


def test_a_plan_for_another_goal_or_epoch_is_dropped_without_ado(rig):
    rig.start()
    for changes in ({"goal_id": GOAL - 1}, {"epoch": rig.supervisor.epoch - 1}):
        assert not rig.supervisor.accept_plan(rig.plan(**changes), rig.now)
    assert rig.tick().state is State.PLANNING


def test_a_new_goal_drops_the_plan_that_is_being_carried_out(rig):
    rig.start()
    old, epoch = rig.plan(), rig.execute().epoch
    rig.supervisor.set_goal(GOAL + 1)
    decision = rig.tick()
    assert decision.state is State.PLANNING and decision.engaged and decision.epoch > epoch
    assert not rig.supervisor.accept_plan(old, rig.now)
    rig.supervisor.clear_goal()
    assert rig.tick().reason is Reason.NO_GOAL


def test_a_plan_is_refused_as_soon_as_something_is_reported(rig):
    rig.start()
    rig.supervisor.report(Reason.IMAGE_UNREADABLE, "mono16", rig.now)
    assert not rig.supervisor.accept_plan(rig.plan(), rig.now)
