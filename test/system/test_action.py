"""The ~/reach_goal action: feedback, result, cancel, supersede, refuse, time out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger
from vjepa_mpc.action import ReachGoal
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector
from support.rig import START, Recorder, Rig, goal_picture
from support.rigs.action_client import Client, result_of, wait

INJECTED = True

Result = ReachGoal.Result
FAR = np.array([0.4, 0.16, 0.08, np.pi, 0.0, 0.0, 0.0])  # more than two steps from the start


def darken(message: Any) -> Any:
    """A picture in half the light."""
    message.data = (np.frombuffer(message.data, np.uint8) // 2).tobytes()
    return message


@pytest.fixture
def client(rig: Rig, injector: FaultInjector) -> Iterator[Client]:
    result = Client(rig.link)
    yield result
    result.destroy()
    injector.behave()


def test_a_goal_whose_steps_are_used_up_reports_every_step_and_that_it_was_not_reached(
    client: Client,
) -> None:
    handle, feedback = client.send(goal_picture(FAR), steps=[2])
    status, result = result_of(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (result.success, result.code) == (False, Result.NOT_REACHED), result.message
    percent = round(100 * result.final_energy / feedback[0].energy)
    assert f"0: BUDGET after 2, the energy is down to {percent} %" in result.message
    assert list(result.steps_per_sub_goal) == [2]
    assert [entry.step for entry in feedback] == [1, 2]
    assert feedback[0].energy > 0.0 and feedback[0].plan_time > 0.0
    assert feedback[-1].distance_moved > 0.0
    assert result.final_energy < feedback[0].energy


def test_a_goal_where_nothing_is_nearer_is_reached_and_every_sub_goal_is_told_of(
    client: Client, rig: Rig, picture: np.ndarray
) -> None:
    handle, _ = client.send(picture, goal_picture(START), goal_picture(START), steps=[1, 20, 1])
    status, result = result_of(handle)
    assert (status, result.success, result.code) == (GoalStatus.STATUS_SUCCEEDED, True, Result.SUCCEEDED)
    for words in ("0: BUDGET after 1, ", "1: BUDGET after 20, reached", "2: BUDGET after 1, reached"):
        assert words in result.message and words in rig.wait_for_reason("GOAL_FINISHED").message


def test_a_goal_whose_energy_does_not_fall_is_aborted(
    client: Client, rig: Rig, injector: FaultInjector, picture: np.ndarray
) -> None:
    handle, _ = client.send(picture, steps=[2])
    rig.wait_for_state(PlanStatus.EXECUTING)
    injector.inject("image", darken)
    status, result = result_of(handle)
    assert (status, result.success, result.code) == (GoalStatus.STATUS_ABORTED, False, Result.NO_NEARER)
    assert "0: BUDGET after 2, the energy did not fall" in result.message
    assert result.message in rig.wait_for_reason("GOAL_FINISHED").message


def test_cancel_ends_motion_at_once(client: Client, rig: Rig, picture: np.ndarray) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    wait(handle.cancel_goal_async())
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_CANCELED, Result.CANCELLED)
    assert rig.wait_for_reason("NO_GOAL").state == PlanStatus.IDLE
    rig.link.wait_until_silent()


def test_cancel_while_a_plan_is_being_computed(client: Client, rig: Rig, picture: np.ndarray) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.PLANNING)
    wait(handle.cancel_goal_async())
    assert result_of(handle)[1].code == Result.CANCELLED
    assert rig.wait_for_reason("NO_GOAL").state == PlanStatus.IDLE


def test_a_superseded_goal_is_aborted(client: Client, rig: Rig, picture: np.ndarray) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    assert rig.request([picture], steps=[1]).success
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.SUPERSEDED)


def test_a_timeout_aborts(client: Client, rig: Rig, picture: np.ndarray) -> None:
    handle, _ = client.send(picture, steps=[50], timeout=1.0)
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.TIMED_OUT)
    assert rig.wait_for_reason("NO_GOAL").state == PlanStatus.IDLE


def test_an_unusable_goal_is_rejected_with_its_reason_and_the_running_one_goes_on(
    client: Client, rig: Rig, picture: np.ndarray
) -> None:
    running, _ = client.send(picture, steps=[2])
    refused, _ = client.send(picture, steps=[1, 2])
    status, result = result_of(refused)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
    assert "2 values of steps for 1 goal images" in result.message
    assert result_of(running)[0] == GoalStatus.STATUS_SUCCEEDED


class Statuses:
    """The states that the action server announces of its goals."""

    def __init__(self, link: Recorder) -> None:
        self._link, self._changed = link, threading.Condition()
        self._states: dict[bytes, list[int]] = {}
        qos = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        name = "planner_node/reach_goal/_action/status"
        self._subscription = link._node.create_subscription(GoalStatusArray, name, self._on_status, qos)

    def _on_status(self, message: GoalStatusArray) -> None:
        with self._changed:
            for status in message.status_list:
                self._states.setdefault(bytes(status.goal_info.goal_id.uuid), []).append(status.status)
            self._changed.notify_all()

    def wait_for(self, handle: Any, state: int) -> None:
        """Until a goal is in a state."""
        states = self._states.setdefault(bytes(handle.goal_id.uuid), [])
        with self._changed:
            assert self._changed.wait_for(lambda: state in states, 10.0), f"the goal's states were {states}"

    def destroy(self) -> None:
        self._link._node.destroy_subscription(self._subscription)


def resume(rig: Rig) -> Any:
    return rig.link.call(Trigger, "planner_node/resume", Trigger.Request())


def shift_pose(message: Any) -> Any:
    """A pose that jumps by half a metre."""
    message.pose.position.x += 0.5
    return message


def test_an_accepted_goal_is_executing(client: Client, rig: Rig, picture: np.ndarray) -> None:
    statuses = Statuses(rig.link)
    handle, _ = client.send(picture, steps=[50])
    statuses.wait_for(handle, GoalStatus.STATUS_EXECUTING)
    wait(handle.cancel_goal_async())
    assert result_of(handle)[0] == GoalStatus.STATUS_CANCELED
    statuses.destroy()


def test_deactivation_drops_the_goal_and_refuses_others_until_activation(
    client: Client, rig: Rig, picture: np.ndarray
) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    assert rig.link.change_state("planner_node", "deactivate")
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.FAULT)
    assert "deactivated" in result.message
    refused, _ = client.send(picture, steps=[50])
    status, result = result_of(refused)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
    assert "NOT_ACTIVE" in result.message and "activate" in result.message
    answer = rig.request([picture], steps=[50])
    assert not answer.success and "NOT_ACTIVE" in answer.message
    assert rig.link.change_state("planner_node", "activate")
    assert rig.wait_for_reason("NO_GOAL").goal_id == 0
    assert rig.link.stays_silent(1.0), "an old goal moves the arm"
    again, _ = client.send(picture, steps=[2])
    assert result_of(again)[0] == GoalStatus.STATUS_SUCCEEDED


def test_a_goal_of_the_service_does_not_outlast_deactivation_either(rig: Rig, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[50]).success
    rig.wait_for_state(PlanStatus.EXECUTING)
    assert rig.link.change_state("planner_node", "deactivate")
    assert rig.link.change_state("planner_node", "activate")
    rig.wait_for_reason("NO_GOAL")
    assert rig.link.stays_silent(1.0), "an old goal moves the arm"


def test_a_fault_drops_the_goal_and_refuses_others_until_resume(
    client: Client, rig: Rig, injector: FaultInjector, picture: np.ndarray
) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    injector.inject("pose", shift_pose)
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.FAULT)
    assert "POSE_JUMPED" in result.message
    injector.behave()
    refused, _ = client.send(picture, steps=[50])
    status, result = result_of(refused)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
    assert "POSE_JUMPED" in result.message and "/planner_node/resume" in result.message
    assert "POSE_JUMPED" in rig.request([picture]).message
    answer = resume(rig)
    assert answer.success and "POSE_JUMPED is over" in answer.message and "NO_GOAL" in answer.message
    rig.wait_for_reason("NO_GOAL")
    assert rig.link.stays_silent(1.0), "an aborted goal moves the arm"


def test_a_timeout_while_the_arm_is_held_names_the_hold(
    client: Client, rig: Rig, injector: FaultInjector, picture: np.ndarray
) -> None:
    injector.inject("image", lambda _: None)
    handle, _ = client.send(picture, steps=[50], timeout=4.0)
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.TIMED_OUT)
    assert "IMAGE_SILENT" in result.message and "timeout=4.0 s passed" in result.message


@pytest.mark.parametrize("timeout", [float("nan"), -1.0, float("inf"), 1e300])
def test_a_timeout_that_is_no_time_is_refused(client: Client, rig: Rig, picture: np.ndarray, timeout: float) -> None:
    handle, _ = client.send(picture, timeout=timeout)
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
    assert "use seconds" in result.message


def test_a_goal_that_is_cancelled_while_it_is_decoded_does_not_end_the_running_one(
    client: Client, rig: Rig, picture: np.ndarray
) -> None:
    assert rig.request([picture], steps=[3]).success
    handle, _ = client.send(*[picture] * 200, steps=[1])
    wait(handle.cancel_goal_async())
    assert result_of(handle)[1].code == Result.CANCELLED
    assert rig.wait_for_reason("GOAL_FINISHED").sub_goals == 1
