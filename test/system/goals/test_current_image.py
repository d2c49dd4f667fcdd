"""What is answered, to goals and ~/resume, while the camera does not show how things are now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from std_srvs.srv import Trigger
from vjepa_mpc.action import ReachGoal
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector, shift_stamp
from support.rig import LIMITS, Rig
from support.rigs.action_client import Client, result_of

INJECTED = True

OLD = 100.0  # seconds


@pytest.fixture(autouse=True)
def behave(injector: FaultInjector) -> Iterator[None]:
    yield
    injector.behave()


CAMERAS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "silent": (lambda _: None, "IMAGE_SILENT", r"the last came (\d+\.\d+) s ago \(limit (\S+) s\)"),
    "old stamps": (
        lambda message: shift_stamp(message, -OLD),
        "IMAGE_STALE",
        r"its stamp is (\d+\.\d+) s old \(limit (\S+) s\)",
    ),
}


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_stale_camera_gives_no_goal_neither_to_the_service_nor_to_the_action(
    rig: Rig, injector: FaultInjector, camera: str
) -> None:
    alteration, reason, words = CAMERAS[camera]
    assert rig.request_current(50).success
    injector.inject("image", alteration)
    rig.wait_for_reason(reason)
    answer = rig.request(use_current_image=True, steps=[1])
    age = re.search(words, answer.message)
    assert not answer.success and reason in answer.message
    assert age is not None and float(age[2]) == LIMITS["image_timeout"], answer.message
    assert float(age[1]) > (LIMITS["image_timeout"] if camera == "silent" else OLD), answer.message
    client = Client(rig.link)
    handle, _ = client.send(use_current_image=True, steps=[1])
    result = result_of(handle)[1]
    client.destroy()
    assert result.code == ReachGoal.Result.REJECTED and re.search(words, result.message)
    injector.behave()
    rig.link.wait_for_status(lambda status: status.reason in ("PLANNING", "NONE"), 60.0)
    assert rig.request(use_current_image=True, steps=[1]).success


class Freeze:
    """New stamps on the picture that came first."""

    def __init__(self) -> None:
        self._data: Any = None

    def __call__(self, message: Any) -> Any:
        self._data = message.data if self._data is None else self._data
        message.data = self._data
        return message


def test_a_frozen_picture_holds_and_every_answer_says_that_only_another_one_ends_this(
    rig: Rig, injector: FaultInjector, picture: np.ndarray
) -> None:
    assert rig.request([picture], steps=[50]).success
    rig.wait_for_state(PlanStatus.EXECUTING, 60.0)
    injector.inject("image", Freeze())
    assert rig.wait_for_reason("IMAGE_FROZEN", 60.0).state == PlanStatus.HOLDING
    rig.link.wait_until_silent(5.0)
    resumed = rig.link.call(Trigger, "planner_node/resume", Trigger.Request())
    assert not resumed.success and "there was no fault and no pause to end; the arm does not move" in resumed.message
    again = rig.request([picture], steps=[50])
    assert again.success and f"goal {again.goal_id} is set; the arm does not move" in again.message
    for answer in (resumed.message, again.message):
        assert "IMAGE_FROZEN" in answer and "only another picture ends this" in answer
        assert "It goes on by itself once that is over." in answer
    current = rig.request(use_current_image=True)
    assert not current.success and "IMAGE_FROZEN" in current.message
    assert rig.link.stays_silent(1.0), "an answer has moved the arm"
    injector.behave()
    assert rig.wait_for_state(PlanStatus.EXECUTING, 60.0).goal_id == again.goal_id
