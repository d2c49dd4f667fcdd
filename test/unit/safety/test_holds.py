"""What holds the arm ends by itself once the cause has been gone for a while."""

from __future__ import annotations

import numpy as np
import pytest

from support.rigs.supervisor_rig import CONFIG, MOTION_ALLOWED, TICK, Rig, mend
from vjepa_mpc.safety.reasons import Effect, Reason, State
from vjepa_mpc.safety.samples import PermissionSample, Voice


def frozen(rig: Rig) -> None:
    rig.image = {"digest": 1}
    for _ in range(60):
        rig.state[0] += 0.001
        rig.tick()


def set_field(stream: str, **fields):
    def tamper(rig: Rig) -> None:
        setattr(rig, stream, fields)

    return tamper


def silence(stream: str):
    return lambda rig: setattr(rig, stream, None)


def stamped(stream: str, offset: float):
    """Stamps run on, but wrong by an offset, while messages keep coming."""
    return lambda rig: rig.stamp_offset.__setitem__(stream, offset)


def sink(rig: Rig) -> None:
    """No faster than an arm can."""
    for _ in range(80):
        rig.state[2] -= 0.003
        rig.tick()


def turn_clock_back(rig: Rig) -> None:
    rig.ros -= 0.08


def object_to_motion(rig: Rig) -> None:
    rig.permission = PermissionSample(MOTION_ALLOWED, (Voice(False, "/gate", rig.steady),))


HOLDS = {
    Reason.IMAGE_SILENT: silence("image"),
    Reason.IMAGE_STALE: stamped("image", -3.0),
    Reason.IMAGE_STAMP_ZERO: set_field("image", stamp=0.0),
    Reason.IMAGE_FROM_FUTURE: stamped("image", 3.0),
    Reason.IMAGE_FROZEN: frozen,
    Reason.POSE_SILENT: silence("pose"),
    Reason.POSE_STALE: stamped("pose", -3.0),
    Reason.POSE_STAMP_ZERO: set_field("pose", stamp=0.0),
    Reason.POSE_FROM_FUTURE: stamped("pose", 3.0),
    Reason.POSE_WRONG_FRAME: set_field("pose", frame_id="world"),
    Reason.POSE_NO_TRANSFORM: set_field("pose", frame_id="world", untransformed="no such frame"),
    Reason.POSE_NOT_FINITE: set_field("pose", position=np.array([np.nan, 0.0, 0.2])),
    Reason.POSE_NOT_UNIT: set_field("pose", quaternion=np.array([1.0, 1.0, 0.0, 0.0])),
    Reason.POSE_OUTSIDE_WORKSPACE: sink,
    Reason.GRIPPER_SILENT: silence("gripper"),
    Reason.GRIPPER_STALE: stamped("gripper", -3.0),
    Reason.GRIPPER_STAMP_ZERO: set_field("gripper", stamp=0.0),
    Reason.GRIPPER_FROM_FUTURE: stamped("gripper", 3.0),
    Reason.GRIPPER_NOT_FINITE: set_field("gripper", closedness=float("nan")),
    Reason.CLOCK_JUMPED: turn_clock_back,
    Reason.MOTION_NOT_ALLOWED: object_to_motion,
    Reason.INPUT_WRONG_TYPE: lambda rig: rig.supervisor.report(Reason.INPUT_WRONG_TYPE, "std_msgs/msg/String", rig.now),
    Reason.OTHER_PUBLISHER: lambda rig: rig.supervisor.other_publishers(["/teleop"]),
    Reason.IMAGE_UNREADABLE: lambda rig: rig.supervisor.report(Reason.IMAGE_UNREADABLE, "mono16", rig.now),
    Reason.GRIPPER_ABSENT: lambda rig: rig.supervisor.report(Reason.GRIPPER_ABSENT, "/hand/gripper", rig.now),
    Reason.PLAN_EXPIRED: lambda rig: rig.supervisor.report(Reason.PLAN_EXPIRED, "", rig.now),
}
# Reasons that other tests lead to; those that plans give in guards/test_progress.py.
ELSEWHERE = {
    Reason.INPUT_IMPLAUSIBLE,
    Reason.PLAN_TOO_OLD,
    Reason.PLAN_TOO_FAR,
    Reason.GOAL_NOT_SEEN,
    Reason.NO_PROGRESS,
    Reason.SURPRISE,  # in guards/test_surprise.py
    Reason.MOTION_ALLOWED_SILENT,  # in guards/test_permission.py, as only an option asks for it
}


def test_every_holding_reason_is_tested():
    assert set(HOLDS) | ELSEWHERE == {reason for reason in Reason if reason.effect is Effect.HOLDS}


@pytest.mark.parametrize("reason", HOLDS, ids=lambda reason: reason.name)
def test_what_holds_recovers_by_itself_after_a_while_and_never_uses_the_old_plan(rig, reason):
    rig.start()
    old = rig.plan()
    epoch = rig.execute().epoch
    HOLDS[reason](rig)
    waited = 0
    while rig.tick().state is not State.HOLDING:
        assert (waited := waited + 1) < 60, rig.decision
    decision = rig.decision
    assert decision.reason is reason and len(decision.message) > 20
    assert not (decision.may_move or decision.may_plan or decision.engaged)
    assert decision.epoch > epoch
    assert not rig.supervisor.accept_plan(old, rig.now)

    mend(rig)
    rig.tick(5)
    held = 0
    while rig.tick().state is State.HOLDING:
        assert (held := held + 1) < 100, rig.decision
    assert rig.decision.state is State.PLANNING
    assert held * TICK == pytest.approx(CONFIG.recovery_time, abs=0.15)
    assert not rig.supervisor.accept_plan(old, rig.now)
    rig.execute()


def test_a_hold_does_not_end_while_the_cause_flickers(rig):
    rig.start()
    for _ in range(10):
        rig.pose = {"frame_id": "world"}
        rig.tick()
        rig.pose = {}
        assert rig.run(0.3).state is State.HOLDING
    assert rig.run(0.3).state is State.PLANNING


def test_a_still_scene_is_not_a_frozen_camera(rig):
    rig.start()
    rig.image = {"digest": 1}
    assert rig.run(5.0).state is State.PLANNING
    rig.state[0] += 0.02  # images lag behind the arm a little
    assert rig.run(0.3).state is State.PLANNING
    rig.image = {}
    assert rig.run(2.0).state is State.PLANNING
