"""Goal pictures that this camera cannot have taken are refused with figures, unless they are meant."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from vjepa_mpc.action import ReachGoal
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector
from support.rig import Rig
from support.rigs.action_client import Client, result_of
from vjepa_mpc.goals.picture import FINDINGS

INJECTED = True
PLANS: dict[str, str] = {}  # as the profile has it

MEANS_NOTHING = {
    "GOAL_NOT_SEEN": "Give a picture that this camera took of this scene",
    "NO_PROGRESS": "Check that camera and goal picture show this scene from the same place",
}
GREY = np.full((256, 256, 3), 128, np.uint8)


def odd_pictures(picture: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Of one that is right: what else people send, and what is said of it."""
    plot = np.full((480, 480, 3), 255, np.uint8)
    cv2.polylines(plot, [np.array([[40, 400], [180, 120], [300, 300], [440, 60]], np.int32)], False, (31, 119, 180), 3)
    wide = cv2.copyMakeBorder(picture, 0, 0, 100, 99, cv2.BORDER_REPLICATE)
    return {
        "wide": (wide, f"OTHER_SHAPE: it has {wide.shape[1]} x 256 pixels and the camera 256 x 256"),
        "small": (cv2.resize(picture, (16, 16)), "FEW_PIXELS: it has 16 x 16 pixels"),
        "one pixel": (picture[:1, :1], "FEW_PIXELS: it has 1 x 1 pixels"),
        "grey": (GREY, "NO_CONTRAST: its brightness varies by 0.0 of 255"),
        "without colours": (
            cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
            "NO_COLOUR: its colours' saturation is 0.000",
        ),
        "plot": (plot, "% of it have one colour"),
    }


def test_odd_pictures_are_refused_and_the_running_goal_goes_on(rig: Rig, picture: np.ndarray) -> None:
    running = rig.request([picture], steps=[50])
    assert running.success, running.message
    for name, (odd, words) in odd_pictures(picture).items():
        answer = rig.request([picture, odd])
        assert not answer.success and "goal image 1 does not look like a picture of this camera" in answer.message, name
        assert words in answer.message, answer.message
    client = Client(rig.link)
    handle, _ = client.send(GREY)
    result = result_of(handle)[1]
    client.destroy()
    assert result.code == ReachGoal.Result.REJECTED and "NO_CONTRAST" in result.message
    assert {status.goal_id for status in rig.link.statuses_of(running.goal_id)} == {running.goal_id}
    rig.wait_for_state(PlanStatus.EXECUTING, 120.0)


@pytest.fixture
def everything_passes(rig: Rig) -> None:
    assert not rig.link.set_parameters("planner_node", goal_picture__ignore=", ".join(FINDINGS))


def wait_until_held(rig: Rig) -> PlanStatus:
    """Until plans mean nothing, by name."""
    held = rig.link.wait_for_status(lambda status: status.reason in MEANS_NOTHING, 180.0)
    assert held.state == PlanStatus.HOLDING
    rig.link.wait_until_silent(5.0)
    return held


def test_a_grey_goal_that_is_let_pass_is_held_by_name_until_the_options_let_it_pass_too(
    rig: Rig, everything_passes: None
) -> None:
    answer = rig.request([GREY], steps=[200])
    assert answer.success, answer.message
    held = wait_until_held(rig)
    assert "energy" in held.message and MEANS_NOTHING[held.reason] in held.message, held.message
    assert held.contrast < 1.0, held
    assert not rig.link.set_parameters("planner_node", goal_contrast=0.0, progress_steps=0)
    rig.wait_for_state(PlanStatus.EXECUTING, 120.0)
    assert not rig.link.set_parameters("planner_node", goal_contrast=0.02, progress_steps=3)


def test_a_camera_that_shows_something_else_is_held_by_name(
    rig: Rig, injector: FaultInjector, picture: np.ndarray
) -> None:
    assert rig.request([picture], steps=[200]).success
    injector.inject("image", noise)
    held = wait_until_held(rig)
    assert MEANS_NOTHING[held.reason] in held.message, held.message
    injector.behave()


def noise(message: Any) -> Any:
    """Something that has nothing to do with the scene."""
    message.data = np.random.default_rng(message.header.stamp.nanosec).bytes(len(message.data))
    return message
