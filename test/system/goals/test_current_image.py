"""The camera's newest image as the goal: taken only while it shows how things are now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vjepa_mpc.action import ReachGoal

from support.fault_injector import FaultInjector, shift_stamp
from support.rig import FAST, LIMITS, Recorder, Rig
from support.rigs.action_client import Client, result_of
from vjepa_mpc.tools.processes import NodeProcess

OLD = 100.0  # seconds


@pytest.fixture(scope="module")
def planner(
    domain: int, link: Recorder, injector: FaultInjector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeProcess]:
    """A fast planner behind the fault injector."""
    link.forget_planner()
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    with Rig.start_planner(log, domain, FaultInjector.REMAPPINGS, **FAST) as process:
        yield process


@pytest.fixture(autouse=True)
def behave(injector: FaultInjector) -> Iterator[None]:
    yield
    injector.behave()


CAMERAS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "silent": (lambda _: None, "IMAGE_SILENT", r"the last came (\d+\.\d+) s ago \(limit 2\.0 s\)"),
    "old stamps": (
        lambda message: shift_stamp(message, -OLD),
        "IMAGE_STALE",
        r"its stamp is (\d+\.\d+) s old \(limit 2\.0 s\)",
    ),
}


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_stale_camera_gives_no_goal_neither_to_the_service_nor_to_the_action(
    rig: Rig, injector: FaultInjector, camera: str
) -> None:
    alteration, reason, words = CAMERAS[camera]
    assert rig.request(use_current_image=True, steps=[50]).success
    injector.inject("image", alteration)
    rig.wait_for_reason(reason)
    answer = rig.request(use_current_image=True, steps=[1])
    age = re.search(words, answer.message)
    assert not answer.success and reason in answer.message
    assert age is not None and float(age[1]) > (LIMITS["image_timeout"] if camera == "silent" else OLD), answer.message
    client = Client(rig.link)
    handle, _ = client.send(use_current_image=True, steps=[1])
    result = result_of(handle)[1]
    client.destroy()
    assert result.code == ReachGoal.Result.REJECTED and re.search(words, result.message)
    injector.behave()
    rig.link.wait_for_status(lambda status: status.reason in ("PLANNING", "NONE"), 60.0)
    assert rig.request(use_current_image=True, steps=[1]).success
