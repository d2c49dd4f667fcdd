"""A recording is shown as everything was at the moment that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")
pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage
from vjepa_mpc.msg import GoalPictures, PlanRecord, PlanStatus

from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.dashboard.timeline import Recorded
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.images import decode_image, encode_png
from vjepa_mpc.ros.dashboard.recorded import RecordedTimeline
from vjepa_mpc.ros.recorder.message_types import encoded
from vjepa_mpc.ros.recorder.parameters import RecorderSettings
from vjepa_mpc.ros.recorder.recording import Channel, Recording

pytestmark = pytest.mark.ros

KINDS = {
    "/planner/status": "vjepa_mpc/msg/PlanStatus",
    "/planner/goal": "vjepa_mpc/msg/GoalPictures",
    "/planner/plan_record": "vjepa_mpc/msg/PlanRecord",
    "/pose": "geometry_msgs/msg/PoseStamped",
    "/camera/compressed": "sensor_msgs/msg/CompressedImage",
}
START = 1000.0  # seconds


def picture(level: int) -> CompressedImage:
    return CompressedImage(format="png", data=encode_png(np.full((8, 8, 3), level, np.uint8)))


def pose(x: float) -> PoseStamped:
    message = PoseStamped()
    message.pose.position.x, message.pose.orientation.w = x, 1.0
    return message


def status(step: int, energy: float, **more: Any) -> PlanStatus:
    return PlanStatus(state=PlanStatus.EXECUTING, reason="NONE", goal_id=1, step=step, energy=energy, **more)


def record() -> PlanRecord:
    better, worse = np.zeros((1, 7), np.float32), np.zeros((1, 7), np.float32)
    better[0, 0], worse[0, 1] = 0.05, 0.07
    message = PlanRecord(goal_id=1, step=1, horizon=1, actions=better.ravel().tolist())
    message.origin = [0.5, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0]
    message.elites, message.elite_energies = np.concatenate([better, worse]).ravel().tolist(), [0.1, 0.3]
    return message


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Two steps; the status before the first picture was latched long ago."""
    recording = Recording(RecorderSettings(folder=str(tmp_path)), lambda: 10**18, lambda: "today", lambda _: 10**12)
    recording.begin("run")
    for at, topic, message in (
        (-50.0, "/planner/status", PlanStatus(state=PlanStatus.IDLE, reason="NO_GOAL")),
        (0.0, "/camera/compressed", picture(10)),
        (0.1, "/pose", pose(0.5)),
        (0.5, "/planner/goal", GoalPictures(goal_id=1, images=[picture(200)], gripper=["open"])),
        (1.0, "/planner/plan_record", record()),
        (1.0, "/planner/status", status(1, 0.4)),
        (1.9, "/camera/compressed", picture(20)),
        (2.0, "/pose", pose(0.6)),
        (2.5, "/planner/status", status(2, 0.2)),
        (3.0, "/planner/status", PlanStatus(state=PlanStatus.IDLE, reason="GOAL_FINISHED")),
    ):
        kind = KINDS[topic]
        recording.write(Channel(name=topic, kind=kind), round((START + at) * 1e9), encoded(message, kind))
    recording.end()
    return next(path for path in tmp_path.iterdir() if path.is_dir())


@pytest.fixture
def shown(bag: Path) -> Iterator[tuple[RecordedTimeline, Seen, History]]:
    seen, history = Seen(), History()
    yield RecordedTimeline(bag, seen, history), seen, history


def test_everything_is_as_it_was_then(shown: tuple[RecordedTimeline, Seen, History]) -> None:
    timeline, seen, _ = shown
    assert timeline.planner == "/planner" and timeline.seconds == pytest.approx(3.0)
    timeline.show(1.5)
    assert seen.status is not None and (seen.status.state, seen.status.step) == ("EXECUTING", 1)
    assert seen.camera is not None and seen.camera.decode()[0, 0, 0] == 10
    assert seen.goal is not None and seen.goal.pictures[0].decode()[0, 0, 0] == 200
    assert seen.pose is not None and seen.pose.position[0] == 0.5
    timeline.show(2.6)
    assert seen.status.step == 2 and seen.pose.position[0] == 0.6 and seen.camera.decode()[0, 0, 0] == 20
    timeline.show(0.2)
    assert seen.status.reason == "NO_GOAL" and seen.goal is None and seen.pose.position[0] == 0.5, "and back"


def test_the_fan_comes_from_the_plan_s_record_and_ends_with_the_goal(
    shown: tuple[RecordedTimeline, Seen, History],
) -> None:
    timeline, seen, _ = shown
    timeline.show(1.5)
    assert seen.chosen is not None and seen.elites is not None
    np.testing.assert_allclose(seen.chosen, [[0.5, 0.0, 0.2], [0.55, 0.0, 0.2]], atol=1e-6)
    np.testing.assert_allclose(seen.elites.ends[-1], seen.chosen, atol=1e-6)  # the best is drawn last
    assert seen.elites.colours[-1][1] > seen.elites.colours[0][1]  # and is green
    timeline.show(3.0)
    assert seen.elites is None and seen.chosen is None


def test_the_plots_are_of_the_whole_recording(shown: tuple[RecordedTimeline, Seen, History]) -> None:
    series = shown[2].series
    np.testing.assert_allclose(series.at, [0.0, 1.5])
    np.testing.assert_allclose(series.energy, [0.4, 0.2])
    np.testing.assert_allclose(series.distance, [0.0, 10.0], atol=1e-6)


def test_pictures_can_be_taken_from_it_and_nothing_be_ordered(shown: tuple[RecordedTimeline, Seen, History]) -> None:
    timeline, seen, _ = shown
    taken: list[bytes] = []
    said: list[tuple[bool, str]] = []
    commands = Recorded(seen)
    timeline.show(2.6)
    commands.look(taken.append, lambda *answer: said.append(answer))
    assert decode_image(taken[0], "it")[0, 0, 0] == 20 and not said
    commands.hold(lambda *answer: said.append(answer))
    ((done, words),) = said
    assert not done and words.startswith("this is a recording")


def test_what_is_no_recording_of_a_planner_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 0 recordings"):
        RecordedTimeline(tmp_path / "absent", Seen(), History())
    recording = Recording(RecorderSettings(folder=str(tmp_path)), lambda: 10**18, lambda: "today", lambda _: 10**12)
    recording.begin("run")
    recording.write(Channel(name="/pose", kind=KINDS["/pose"]), 10**18, encoded(pose(0.5), KINDS["/pose"]))
    recording.end()
    with pytest.raises(DataError, match="it has no vjepa_mpc/msg/PlanStatus, but /pose"):
        RecordedTimeline(tmp_path, Seen(), History())
