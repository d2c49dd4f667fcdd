from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.safety.reasons import Effect, Reason, State
from vjepa_mpc.safety.samples import GripperSample, ImageSample, Now, PlanReport, PoseSample, image_digest
from vjepa_mpc.safety.supervisor import Decision, Supervisor, SupervisorConfig

CONFIG = SupervisorConfig(frame_id="base", workspace=WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5)))
HOME = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
TICK = 0.02
GOAL = 7


class Rig:
    """A supervisor with a camera at 10 Hz, and a pose and a gripper at 50 Hz, any of which can be tampered with."""

    def __init__(self, config: SupervisorConfig = CONFIG) -> None:
        self.supervisor = Supervisor()
        self.supervisor.configure(config)
        self.ros, self.steady = 1000.0, 50.0
        self.state = HOME.copy()
        self.image, self.pose, self.gripper = {}, {}, {}  # fields to replace; None: silence
        self.stamp_offset = {"image": 0.0, "pose": 0.0, "gripper": 0.0}
        self.digest, self.ticks = 0, 0
        self.decision: Decision | None = None

    @property
    def now(self) -> Now:
        return Now(ros=self.ros, steady=self.steady)

    def tick(self, count: int = 1) -> Decision:
        for _ in range(count):
            self.ros += TICK
            self.steady += TICK
            self.ticks += 1
            self._observe()
            self.decision = self.supervisor.update(self.now)
        return self.decision

    def run(self, seconds: float) -> Decision:
        return self.tick(round(seconds / TICK))

    def _observe(self) -> None:
        if self.pose is not None:
            position, quaternion = CartesianPose.from_state(self.state).position, [1.0, 0.0, 0.0, 0.0]
            fields = {"position": position, "quaternion": np.array(quaternion), "frame_id": "base"}
            times = {"stamp": self.ros + self.stamp_offset["pose"], "received": self.steady}
            self.supervisor.observe(PoseSample(**{**fields, **times, **self.pose}))
        if self.gripper is not None:
            stamp = self.ros + self.stamp_offset["gripper"]
            self.supervisor.observe(replace(GripperSample(0.0, stamp, self.steady), **self.gripper))
        if self.image is not None and self.ticks % 5 == 0:
            self.digest += 1
            stamp = self.ros + self.stamp_offset["image"]
            self.supervisor.observe(replace(ImageSample(stamp, self.steady, self.digest), **self.image))

    def start(self) -> Decision:
        """Active, with a goal, ready to plan."""
        self.supervisor.activate(self.now)
        self.supervisor.set_goal(GOAL)
        decision = self.run(0.2)
        assert decision.state is State.PLANNING, decision
        return decision

    def plan(self, **changes) -> PlanReport:
        action = np.array([[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
        fields = {
            "goal_id": GOAL,
            "epoch": self.supervisor.epoch,
            "observed_at": self.steady - 0.3,
            "actions": action,
            "target_pose": HOME + action[0],
            "compute_seconds": 0.3,
        }
        return PlanReport(**{**fields, **changes})

    def execute(self) -> Decision:
        assert self.supervisor.accept_plan(self.plan(), self.now)
        decision = self.tick()
        assert decision.state is State.EXECUTING
        return decision


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_states_are_those_of_the_message():
    text = (Path(__file__).parents[3] / "msg" / "PlanStatus.msg").read_text()
    constants = {name: int(value) for name, value in re.findall(r"^uint8\s+([A-Z_]+)\s*=\s*(\d+)", text, re.M)}
    assert constants == {state.name: state.value for state in State}


def test_every_reason_has_its_own_words_and_a_remedy():
    texts = [reason.text for reason in Reason]
    assert len(set(texts)) == len(texts)
    for reason in Reason:
        assert reason.remedy or reason in (Reason.NONE, Reason.PLANNING), reason
        assert "~/resume" in reason.remedy or reason.effect is not Effect.FAULTS, reason
    assert Reason.POSE_STALE.message("1.2 s") == (
        "The newest pose is old by its stamp: 1.2 s. Check the robot driver's rate and clock."
    )


def test_from_nothing_to_moving(rig):
    fresh = Supervisor()
    assert fresh.update(rig.now).reason is Reason.NOT_CONFIGURED
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
    Reason.POSE_NOT_FINITE: set_field("pose", position=np.array([np.nan, 0.0, 0.2])),
    Reason.POSE_NOT_UNIT: set_field("pose", quaternion=np.array([1.0, 1.0, 0.0, 0.0])),
    Reason.POSE_OUTSIDE_WORKSPACE: sink,
    Reason.GRIPPER_SILENT: silence("gripper"),
    Reason.GRIPPER_STALE: stamped("gripper", -3.0),
    Reason.GRIPPER_STAMP_ZERO: set_field("gripper", stamp=0.0),
    Reason.GRIPPER_FROM_FUTURE: stamped("gripper", 3.0),
    Reason.GRIPPER_NOT_FINITE: set_field("gripper", closedness=float("nan")),
    Reason.CLOCK_JUMPED: turn_clock_back,
    Reason.MOTION_NOT_ALLOWED: lambda rig: rig.supervisor.motion_allowed(False),
    Reason.OTHER_PUBLISHER: lambda rig: rig.supervisor.other_publishers(["/teleop"]),
    Reason.IMAGE_UNREADABLE: lambda rig: rig.supervisor.report(Reason.IMAGE_UNREADABLE, "mono16", rig.now),
    Reason.GRIPPER_ABSENT: lambda rig: rig.supervisor.report(Reason.GRIPPER_ABSENT, "/hand/gripper", rig.now),
    Reason.GRIPPER_REFUSED: lambda rig: rig.supervisor.report(Reason.GRIPPER_REFUSED, "position 0.04", rig.now),
    Reason.PLAN_EXPIRED: lambda rig: rig.supervisor.report(Reason.PLAN_EXPIRED, "", rig.now),
}
# Reasons that other tests of this file lead to.
ELSEWHERE = {Reason.INPUT_IMPLAUSIBLE, Reason.PLAN_TOO_OLD, Reason.PLAN_TOO_FAR}


def mend(rig: Rig) -> None:
    rig.image, rig.pose, rig.gripper = {}, {}, {}
    rig.stamp_offset = dict.fromkeys(rig.stamp_offset, 0.0)
    rig.state = HOME.copy()
    rig.supervisor.motion_allowed(None)
    rig.supervisor.other_publishers([])


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


def fail_planner(rig: Rig) -> None:
    rig.supervisor.report(Reason.PLANNER_EXCEPTION, "RuntimeError: out of memory", rig.now)


def lose_rank(rig: Rig) -> None:
    rig.supervisor.report(Reason.RANK_LOST, "rank 0 of 2 lost another rank", rig.now)


def fail_loop(rig: Rig) -> None:
    rig.supervisor.report(Reason.CONTROL_LOOP_ERROR, "KeyError: 'x'", rig.now)


def refuse_setpoint(rig: Rig) -> None:
    rig.supervisor.report(Reason.SETPOINT_INVALID, "linear speed", rig.now)


def jump(rig: Rig) -> None:
    rig.state[1] += 0.2


def offer(**changes):
    def tamper(rig: Rig) -> None:
        rig.supervisor.motion_done()
        assert not rig.supervisor.accept_plan(rig.plan(**changes), rig.now)

    return tamper


def late(rig: Rig) -> None:
    accepted = []
    for _ in range(3):
        rig.supervisor.motion_done()
        accepted.append(rig.supervisor.accept_plan(rig.plan(compute_seconds=6.0), rig.now))
    assert accepted == [True, True, False]


FAULTS = [
    (Reason.POSE_JUMPED, jump, "0.200 m"),
    (Reason.PLANNER_EXCEPTION, fail_planner, "out of memory"),
    (Reason.RANK_LOST, lose_rank, "rank 0 of 2"),
    (Reason.SETPOINT_INVALID, refuse_setpoint, "linear speed"),
    (Reason.CONTROL_LOOP_ERROR, fail_loop, "KeyError"),
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


def test_an_unusable_plan_stops_the_arm_before_it_is_due(rig):
    rig.start()
    rig.execute()
    rig.supervisor.examine_plan(rig.plan(), rig.now)
    assert rig.tick().state is State.EXECUTING
    rig.supervisor.examine_plan(rig.plan(epoch=rig.supervisor.epoch - 1, actions=np.full((1, 7), np.nan)), rig.now)
    assert rig.tick().state is State.EXECUTING
    rig.supervisor.examine_plan(rig.plan(actions=np.full((1, 7), np.nan)), rig.now)
    assert rig.tick().reason is Reason.PLAN_INVALID


def test_the_first_fault_is_the_one_that_is_told(rig):
    rig.start()
    fail_planner(rig)
    refuse_setpoint(rig)
    assert rig.tick().reason is Reason.PLANNER_EXCEPTION


def test_only_stopping_reasons_can_be_reported(rig):
    with pytest.raises(ValueError, match="NO_GOAL"):
        rig.supervisor.report(Reason.NO_GOAL, "", rig.now)


def test_one_late_plan_is_forgiven_by_one_in_time(rig):
    rig.start()
    for seconds in (6.0, 6.0, 0.3, 6.0, 6.0, 0.3):
        assert rig.supervisor.accept_plan(rig.plan(compute_seconds=seconds), rig.now)
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
    assert rig.tick().reason is Reason.NOT_CONFIGURED


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame_id": ""}, "frame_id"),
        ({"pose_timeout": 0.0}, "pose_timeout=0.0"),
        ({"recovery_time": -1.0}, "recovery_time=-1.0"),
        ({"plan_deadline": float("nan")}, "plan_deadline=nan"),
        ({"max_deadline_misses": 0}, "max_deadline_misses=0"),
        ({"ignore_sanity": frozenset({"INCHES"})}, "INCHES unknown; known are MILLIMETRES"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        replace(CONFIG, **changes)


def test_a_workspace_is_required():
    with pytest.raises(TypeError, match="workspace"):
        SupervisorConfig(frame_id="base")


def test_digests_tell_images_apart():
    image = np.zeros((64, 64, 3), np.uint8)
    other = image.copy()
    other[63, 63, 2] = 1
    assert image_digest(image.tobytes()) == image_digest(bytearray(image.tobytes()))
    assert image_digest(image.tobytes()) != image_digest(other.tobytes())
