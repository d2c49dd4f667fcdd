"""What the planner thinks, seen from another process: every topic carries what it should, and nothing while unseen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("visualization_msgs", reason="visualization_msgs is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from nav_msgs.msg import Path
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray
from vjepa_mpc.msg import PlanCandidates, Surprise

from support.rig import FAST, Rig
from vjepa_mpc.images import image_to_rgb
from vjepa_mpc.imagination.imagined import SIDE
from vjepa_mpc.ros.common.conversions import position_of

KINDS = {
    **{"markers": MarkerArray, "plan": Path, "energies": PlanCandidates},
    **{"imagination": Image, "surprise": Image, "surprise_values": Surprise},
}


def test_every_topic_carries_what_it_should(rig: Rig, picture: np.ndarray) -> None:
    with rig.link.listening(KINDS, lambda heard: all(heard.values())) as wait:
        assert rig.request([picture], steps=[1000]).success
        seen = wait()
        rig.clear_goal()
    (frame,) = {message.header.frame_id for message in seen["plan"]}
    fan = next(message for message in seen["markers"] if len(message.markers) > 1)
    assert {marker.ns for marker in fan.markers} == {"elites", "chosen", "target", "arrival", "workspace", "words"}
    assert {marker.header.frame_id for marker in fan.markers} == {frame}
    way = [position_of(pose) for pose in seen["plan"][0].poses]
    assert 0.0 < np.linalg.norm(way[1] - way[0]) < 0.2
    energies = seen["energies"][0]
    assert len(energies.energies) == int(FAST["samples"])
    assert len(energies.actions) == len(energies.energies) * energies.horizon * 7
    values = seen["surprise_values"][0]
    assert values.rows * values.columns == len(values.patches) > 1
    assert np.isfinite([values.level, values.nothing]).all() and values.level > 0.0
    assert np.mean(values.patches) == pytest.approx(values.level, rel=1e-4)
    assert image_to_rgb(seen["surprise"][0]).std() > 1.0
    expected = image_to_rgb(seen["imagination"][0])
    assert expected.shape == (SIDE, SIDE, 3) and expected[: SIDE - 30].std() > 10.0
