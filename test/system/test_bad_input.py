"""Unusable goals and inputs: a message with value and remedy, nothing moves, what was set stays, the node stays up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage, Image
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector
from support.rig import Rig
from support.stand_ins import WRONG_FRAME
from vjepa_mpc.images import encode_png

INJECTED = True

SMALL = np.zeros((8, 8, 3), np.uint8)


def png(data: bytes) -> dict[str, Any]:
    return {"images": [CompressedImage(format="png", data=data)]}


def sixteen_bit() -> bytes:
    return cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes()


def bomb() -> bytes:
    return cv2.imencode(".png", np.zeros((6000, 10_000), np.uint8))[1].tobytes()


BAD_GOALS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "no picture given"),
    "two ways": ({**png(encode_png(SMALL)), "use_current_image": True}, "images and use_current_image given"),
    "empty": (png(b""), "goal image 0 is empty (0 bytes)"),
    "no picture": (png(b"hello"), "goal image 0 is not a picture"),
    "truncated": (
        png(encode_png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[:900]),
        "goal image 0",
    ),
    "16 bits": (png(sixteen_bit()), "16 or more bits"),
    "60 megapixels": (png(bomb()), "60000000 pixels, more than 50000000"),
    "65 MB": (png(bytes(65 * 2**20)), "more than 67108864"),
    "missing file": ({"image_files": ["/nowhere/goal.png"]}, "/nowhere/goal.png does not exist"),
    "file is no image": ({"image_files": [__file__]}, "is not a picture"),
    "file is a folder": ({"image_files": [str(Path(__file__).parent)]}, "is not a regular file"),
    "zero steps": ({**png(encode_png(SMALL)), "steps": [0]}, "steps=0"),
    "too many steps values": ({**png(encode_png(SMALL)), "steps": [1, 2, 3]}, "3 values of steps for 1 goal images"),
    "unknown gripper": ({**png(encode_png(SMALL)), "gripper": ["squeeze"]}, "'squeeze'"),
}


@pytest.mark.parametrize("name", BAD_GOALS)
def test_bad_goals_are_refused_and_nothing_moves(rig: Rig, name: str) -> None:
    fields, says = BAD_GOALS[name]
    answer = rig.request_fields(**fields)
    assert not answer.success
    assert says in answer.message
    assert answer.goal_id == 0
    assert not rig.link.setpoints


def test_a_bad_goal_does_not_touch_the_running_one(rig: Rig, picture: np.ndarray) -> None:
    running = rig.request([picture], steps=[3])
    rig.wait_for_state(PlanStatus.EXECUTING)
    for name in ("no picture", "60 megapixels", "missing file"):
        assert not rig.request_fields(**BAD_GOALS[name][0]).success
    assert "BUDGET after 3" in rig.wait_for_reason("GOAL_FINISHED").message
    assert {s.goal_id for s in rig.link.statuses_of(running.goal_id)} == {running.goal_id}


# -- inputs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def behave(injector: FaultInjector) -> Iterator[None]:
    injector.behave()
    yield
    injector.behave()


def pose_with(**changes: Any) -> Callable[[PoseStamped], PoseStamped]:
    """Alters a pose: fields of position (x, y, z), orientation (qx … qw) or frame_id."""

    def alter(message: PoseStamped) -> PoseStamped:
        for name, value in changes.items():
            if name == "frame_id":
                message.header.frame_id = value
            elif name.startswith("q"):
                setattr(message.pose.orientation, name[1:], value)
            else:
                setattr(message.pose.position, name, value)
        return message

    return alter


def image_with(**changes: Any) -> Callable[[Image], Image]:
    def alter(message: Image) -> Image:
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    return alter


def cut_short(message: Image) -> Image:
    """Half of the rows; what is left still changes when the arm moves, so that the picture does not seem frozen."""
    message.data = message.data[: len(message.data) // 2]
    return message


BAD_POSES = {
    "NaN": (pose_with(x=math.nan), "POSE_NOT_FINITE"),
    "not a unit quaternion": (pose_with(qx=2.0), "POSE_NOT_UNIT"),
    "wrong frame": (pose_with(frame_id="camera"), WRONG_FRAME),
    "outside the box": (pose_with(z=0.6), "POSE_OUTSIDE_WORKSPACE"),
    "silence": (lambda _: None, "NO_POSE"),
}
BAD_IMAGES = {
    "unknown encoding": (image_with(encoding="yuv9"), "IMAGE_UNREADABLE", "'yuv9'"),
    "16 bits": (image_with(encoding="mono16"), "IMAGE_UNREADABLE", "8 bits"),
    "step lies": (image_with(step=7), "IMAGE_UNREADABLE", "step=7"),
    "empty": (image_with(width=0), "IMAGE_UNREADABLE", "0 x 256"),
    "too little data": (cut_short, "IMAGE_UNREADABLE", "98304 bytes"),
}


@pytest.mark.parametrize("name", BAD_POSES)
def test_bad_poses_hold_by_name_and_the_goal_survives(
    rig: Rig, injector: FaultInjector, picture: np.ndarray, name: str
) -> None:
    alteration, reason = BAD_POSES[name]
    injector.inject("pose", alteration)
    restart(rig)
    assert rig.request([picture], steps=[1]).success
    status = rig.wait_for_reason(reason)
    assert status.state in (PlanStatus.HOLDING, PlanStatus.WAITING_INPUT)
    assert status.message
    assert rig.link.stays_silent() and not rig.link.setpoints
    injector.behave()
    rig.wait_for_reason("GOAL_FINISHED")


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images_hold_by_name_and_the_goal_survives(
    rig: Rig, injector: FaultInjector, picture: np.ndarray, name: str
) -> None:
    alteration, reason, says = BAD_IMAGES[name]
    where = rig.position()
    injector.inject("image", alteration)
    restart(rig)
    assert rig.request([picture], steps=[1]).success
    status = rig.wait_for_reason(reason)
    assert says in status.message
    # A picture is tried again after a while, and meanwhile the arm may be told to stay.
    assert all(np.linalg.norm(each.position - where) < 1e-3 for each in rig.link.setpoints)
    assert np.linalg.norm(rig.position() - where) < 1e-3
    injector.behave()
    rig.wait_for_reason("GOAL_FINISHED")


def restart(rig: Rig) -> None:
    """A new activation, which has seen no input yet."""
    assert rig.link.change_state("planner_node", "deactivate")
    assert rig.link.change_state("planner_node", "activate")
