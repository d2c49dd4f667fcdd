"""Goal pictures on their way in are compared with what the camera shows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from sensor_msgs.msg import CompressedImage, Image
from vjepa_mpc.srv import SetGoal

from vjepa_mpc.goals.picture import PictureChecks
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.planner.goal_intake import sub_goals

pytestmark = pytest.mark.ros

SCENE = np.random.default_rng(0).integers(40, 200, (96, 128, 3), np.uint8)
GREY = np.full_like(SCENE, 120)


def camera(encoding: str = "rgb8") -> Image:
    return Image(height=96, width=128, step=384, encoding=encoding, data=SCENE.tobytes())


def request(*pictures: np.ndarray) -> SetGoal.Request:
    return SetGoal.Request(images=[CompressedImage(format="png", data=encode_png(picture)) for picture in pictures])


def test_a_picture_that_the_camera_cannot_have_taken_is_named() -> None:
    assert len(sub_goals(request(SCENE), camera(), (), PictureChecks())) == 1
    with pytest.raises(
        ValueError, match=r"goal image 1 does not look like a picture of this camera\. ONE_COLOUR: 100 %"
    ):
        sub_goals(request(SCENE, GREY), camera(), (), PictureChecks())


@pytest.mark.parametrize("image", [None, camera("16UC1")], ids=["no camera yet", "a camera that cannot be read"])
def test_without_a_usable_camera_there_is_nothing_to_compare_with(image: Image | None) -> None:
    (goal,) = sub_goals(request(GREY), image, (), PictureChecks())
    np.testing.assert_array_equal(goal.image, GREY)
