"""What all guards have in common: they name their reasons, have an order, and carry their options."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.rigs.supervisor_rig import CONFIG, GOAL, Rig
from vjepa_mpc.options import parameters
from vjepa_mpc.safety.config import INPUT_GUARDS, STEP_GUARDS, SupervisorConfig
from vjepa_mpc.safety.guards.clock import ClockGuard
from vjepa_mpc.safety.guards.following import FollowingGuard
from vjepa_mpc.safety.guards.gripper import GripperGuard
from vjepa_mpc.safety.guards.image import ImageGuard
from vjepa_mpc.safety.guards.interface import Guard, Scene
from vjepa_mpc.safety.guards.permission import PermissionGuard
from vjepa_mpc.safety.guards.plan import PlanGuard
from vjepa_mpc.safety.guards.pose import PoseGuard
from vjepa_mpc.safety.reasons import Effect, Reason, State
from vjepa_mpc.safety.samples import GripperSample, Now

GUARDS: tuple[type[Guard], ...] = (ClockGuard, *INPUT_GUARDS, PlanGuard, FollowingGuard, *STEP_GUARDS)
# Found by what is not a guard: the loop, the worker, the outputs, and who else publishes.
REPORTED = {
    Reason.IMAGE_UNREADABLE,
    Reason.GRIPPER_ABSENT,
    Reason.GRIPPER_REFUSED,
    Reason.GRIPPER_NOT_FOLLOWING,
    Reason.GRIPPER_LET_GO,
    Reason.INPUT_WRONG_TYPE,
    Reason.OTHER_PUBLISHER,
    Reason.PLAN_EXPIRED,
    Reason.PLANNER_EXCEPTION,
    Reason.RANK_LOST,
    Reason.SETPOINT_INVALID,
    Reason.CONTROL_LOOP_ERROR,
}


def test_every_reason_that_stops_is_named_by_a_guard_or_reported_by_another_part() -> None:
    named = {reason for guard in GUARDS for reason in guard.reasons}
    assert named | REPORTED == {reason for reason in Reason if reason.effect in (Effect.HOLDS, Effect.FAULTS)}
    assert not named & REPORTED


def test_the_order_of_the_inputs_is_permission_gripper_pose_image() -> None:
    shipped = (PermissionGuard, GripperGuard, PoseGuard, ImageGuard)
    assert tuple(guard for guard in INPUT_GUARDS if guard in shipped) == shipped


def test_the_first_input_in_the_order_gives_the_reason(rig: Rig) -> None:
    rig.start()
    rig.image, rig.pose = None, {"frame_id": "world"}
    rig.gripper = {"closedness": float("nan")}
    assert rig.tick().reason is Reason.GRIPPER_NOT_FINITE
    rig.gripper = {}
    assert rig.run(1.0).reason is Reason.POSE_WRONG_FRAME
    rig.pose = {}
    assert rig.tick().reason is Reason.IMAGE_SILENT


def test_options_live_with_their_guard_and_are_parameters_without_a_prefix() -> None:
    names = {parameter.name for parameter in parameters(SupervisorConfig)}
    for guard in (*INPUT_GUARDS, PlanGuard, FollowingGuard, *STEP_GUARDS):
        own = {parameter.name for parameter in parameters(guard.Options)}
        assert own and own <= names
        assert issubclass(SupervisorConfig, guard.Options)


def test_a_guard_works_with_its_own_options_alone() -> None:
    guard = GripperGuard(GripperGuard.Options(gripper_timeout=0.5), Scene())
    assert guard.check(Now(ros=10.0, steady=10.0)) is None, "nothing has come yet"
    guard.observe(GripperSample(0.3, 10.0, 10.0))
    assert guard.check(Now(ros=10.4, steady=10.4)) is None
    violation = guard.check(Now(ros=10.6, steady=10.6))
    assert violation is not None and violation.reason is Reason.GRIPPER_SILENT and "limit 0.5 s" in violation.detail
    with pytest.raises(ValueError, match=r"gripper_timeout=0\.0"):
        GripperGuard.Options(gripper_timeout=0.0)


@pytest.mark.parametrize("timeout", [1.0, None])
def test_a_gripper_position_that_is_no_number_from_the_start_is_no_failure_of_the_loop(timeout: float | None) -> None:
    rig = Rig(replace(CONFIG, gripper_timeout=timeout))
    rig.gripper = {"closedness": float("nan")}
    rig.supervisor.activate(rig.now)
    rig.supervisor.set_goal(GOAL)
    decision = rig.run(0.2)
    assert decision.reason is (Reason.PLANNING if timeout is None else Reason.GRIPPER_NOT_FINITE)
    rig.gripper = {}
    assert rig.run(1.0).state is State.PLANNING


def test_a_sample_that_no_guard_watches_is_an_error(rig: Rig) -> None:
    with pytest.raises(KeyError):
        rig.supervisor.observe("picture")
