"""The ~/reach_goal action: feedback, result, cancel, supersede, refuse, time out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from sensor_msgs.msg import CompressedImage
from vjepa_mpc.action import ReachGoal
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, Recorder, Rig
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools.processes import NodeProcess

Result = ReachGoal.Result


class Client:
    """An action client that waits with events; the recorder's thread spins it."""

    def __init__(self, link: Recorder) -> None:
        self._client = ActionClient(link._node, ReachGoal, "planner_node/reach_goal")
        assert self._client.wait_for_server(30.0)

    def send(self, image: np.ndarray, **fields: Any) -> tuple[Any, list[Any]]:
        """An accepted goal's handle, and the list that its feedback is collected in."""
        goal = ReachGoal.Goal(images=[CompressedImage(format="png", data=encode_png(image))], **fields)
        feedback: list[Any] = []
        future = self._client.send_goal_async(goal, feedback_callback=lambda message: feedback.append(message.feedback))
        handle = wait(future)
        assert handle.accepted
        return handle, feedback

    def destroy(self) -> None:
        self._client.destroy()


def wait(future: Any, timeout: float = 60.0) -> Any:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout), "no answer"
    return future.result()


def result_of(handle: Any) -> tuple[int, Any]:
    answer = wait(handle.get_result_async())
    return answer.status, answer.result


@pytest.fixture(scope="module")
def planner(domain: int, link: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A fast planner."""
    link.forget_planner()
    with Rig.start_planner(tmp_path_factory.mktemp("planner") / "planner_node.log", domain, **FAST) as process:
        yield process


@pytest.fixture
def client(rig: Rig) -> Iterator[Client]:
    result = Client(rig.link)
    yield result
    result.destroy()


def test_success_reports_every_step(client: Client, picture: np.ndarray) -> None:
    handle, feedback = client.send(picture, steps=[3])
    status, result = result_of(handle)
    assert (status, result.success, result.code) == (GoalStatus.STATUS_SUCCEEDED, True, Result.SUCCEEDED), (
        result.message
    )
    assert list(result.steps_per_sub_goal) == [3]
    assert [entry.step for entry in feedback] == [1, 2, 3]
    assert feedback[0].energy > 0.0 and feedback[0].plan_time > 0.0
    assert feedback[-1].distance_moved > 0.0
    assert result.final_energy < feedback[0].energy


def test_cancel_ends_motion_at_once(client: Client, rig: Rig, picture: np.ndarray) -> None:
    handle, _ = client.send(picture, steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    wait(handle.cancel_goal_async())
    status, result = result_of(handle)
    assert (status, result.code) == (GoalStatus.STATUS_CANCELED, Result.CANCELLED)
    assert rig.wait_for_reason("NO_GOAL").state == PlanStatus.IDLE
    rig.link.wait_until_silent(3.0)


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
    assert result_of(running)[1].code == Result.SUCCEEDED
