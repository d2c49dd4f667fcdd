"""The monitor's node: what it says of a run, the log, and the hold."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from vjepa_mpc.msg import Deviation, PlanStatus

from support.rigs.monitored_work import ENCODER, ColourEncoder, fitted_monitor, pictures
from vjepa_mpc.monitor import file
from vjepa_mpc.monitor.naming import STEP_SKIPPED, UNKNOWN_STATE
from vjepa_mpc.ros.monitor import node as module
from vjepa_mpc.ros.monitor.node import MonitorNode
from vjepa_mpc.ros.parameters.live import ParameterError
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros

PATIENCE = 60.0  # seconds
SINCE = 4.0  # seconds of a run from when on a stranger is seen
START = 1000.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def stranger(picture: np.ndarray, now: float) -> np.ndarray:
    changed = picture.copy()
    if now > SINCE:
        changed[50:60, 10:20] = (20, 20, 220)
    return changed


def image_of(picture: np.ndarray, stamp: float) -> Image:
    height, width = picture.shape[:2]
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=picture.tobytes())
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp * 1e9), 10**9)
    return message


class Rig:
    """A monitor, and who shows it pictures and listens to it."""

    def __init__(self, monitor: MonitorNode) -> None:
        self.monitor = monitor
        self.said: dict[str, list[Any]] = {"deviation": [], "text": [], "allowed": []}
        self._node = rclpy.create_node("tester")
        self._image = self._node.create_publisher(Image, "image", 10)
        self._status = self._node.create_publisher(PlanStatus, "planner/status", LATCHED)
        for kind, topic, name, profile in (
            (Deviation, "monitor/deviation", "deviation", QoSProfile(depth=100)),
            (String, "monitor/text", "text", LATCHED),
            (Bool, "planner/motion_allowed", "allowed", LATCHED),
        ):
            self._node.create_subscription(kind, topic, self.said[name].append, profile)
        self._executor = SingleThreadedExecutor()
        for each in (monitor, self._node):
            self._executor.add_node(each)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()
        self.wait_until(lambda: self._image.get_subscription_count() and self.said["allowed"])
        monitor.start()

    def wait_until(self, ready: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.005)  # between looks

    def show(self, images: np.ndarray, stamps: np.ndarray, start: float = START) -> None:
        """Each picture once the one before was looked at."""
        for image, stamp in zip(images, stamps + start, strict=True):
            looked_at = len(self.said["deviation"])
            self._image.publish(image_of(image, stamp))
            self.wait_until(lambda: len(self.said["deviation"]) > looked_at)  # noqa: B023 - waited for at once

    def pursue(self, goal_id: int) -> None:
        """The planner has a goal; 0 for none."""
        self._status.publish(PlanStatus(goal_id=goal_id))

    def ask(self, name: str) -> Trigger.Response:
        client = self._node.create_client(Trigger, f"monitor/{name}")
        assert client.wait_for_service(PATIENCE)
        future = client.call_async(Trigger.Request())
        self.wait_until(future.done)
        return future.result()

    def close(self) -> None:
        self.monitor.stop()
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self.monitor.destroy_node()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    file.save(fitted_monitor(states=False), tmp_path / "monitor.npz")
    monkeypatch.setattr(module, "load_model", lambda _: ColourEncoder())
    monkeypatch.setattr(module, "fingerprint", lambda *_: ENCODER)
    lease, rigs = DomainLease(), []

    def made(**parameters: str) -> Rig:
        given = {"monitor": str(tmp_path / "monitor.npz"), "hold": "planner", "log": str(tmp_path / "log")} | parameters
        words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *words], domain_id=lease.domain_id)
        rigs.append(Rig(MonitorNode()))
        return rigs[-1]

    yield made
    for rig in rigs:
        rig.close()
    rclpy.try_shutdown()


def test_a_normal_run_is_as_usual_from_its_beginning_to_its_end(make: Callable[..., Rig]) -> None:
    rig = make()
    images, stamps, _ = pictures(100)
    rig.show(images, stamps)
    readings = rig.said["deviation"]
    assert {reading.name for reading in readings} == {""} and not rig.said["text"]
    assert readings[0].progress < 0.1 and readings[-1].progress > 0.95
    assert (readings[0].step, readings[0].next_step) == ("fetch", "place")
    assert rig.ask("finish").message == "as usual"
    assert all(word.data for word in rig.said["allowed"])


def test_a_stranger_is_named_marked_written_down_and_holds_until_it_is_released(
    make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make()
    images, stamps, _ = pictures(101, change=stranger)
    rig.show(images[stamps < SINCE + 1.2], stamps[stamps < SINCE + 1.2])
    rig.wait_until(lambda: rig.said["text"] and not rig.said["allowed"][-1].data)
    found = next(reading for reading in rig.said["deviation"] if reading.name)
    assert found.name == UNKNOWN_STATE and found.score > found.threshold > 0.0
    left, top, width, height = found.where
    assert left <= 15 / 64 <= left + width and top <= 55 / 64 <= top + height
    noticed = found.header.stamp.sec + 1e-9 * found.header.stamp.nanosec - START
    assert SINCE < noticed < SINCE + 1.0
    assert rig.said["text"][-1].data.startswith("UNKNOWN_STATE in fetch")
    rig.wait_until((tmp_path / "log" / "deviations.html").is_file)
    (row,) = csv.DictReader((tmp_path / "log" / "deviations.csv").open(encoding="utf-8"))
    assert row["name"] == UNKNOWN_STATE and (tmp_path / "log" / row["picture"]).is_file()
    answer = rig.ask("release")
    assert answer.success and "UNKNOWN_STATE" in answer.message
    rig.wait_until(lambda: rig.said["allowed"][-1].data)


def test_a_monitor_that_sees_nothing_says_nothing(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT", 0.5)
    rig = make()
    images, stamps, _ = pictures(103)
    rig.wait_until(lambda: rig.monitor._blind)  # no picture has come yet
    said = len(rig.said["allowed"])
    rig.monitor._say_whether_motion_is_allowed()
    rig.ask("release")  # an answer, after which whatever was said before has come, too
    assert len(rig.said["allowed"]) == said
    rig.show(images[:1], stamps[:1])
    rig.wait_until(lambda: len(rig.said["allowed"]) > said)


def test_a_planner_s_goals_are_the_runs(make: Callable[..., Rig]) -> None:
    rig = make(planner="planner")
    images, stamps, _ = pictures(102, legs=(0,))  # it ends long before the second step
    assert not rig.ask("finish").success, "without a goal nothing is watched"
    rig.pursue(1)
    rig.wait_until(lambda: rig.monitor._watching.runs)
    rig.show(images, stamps)
    rig.pursue(0)
    rig.wait_until(lambda: rig.said["text"])
    assert rig.said["text"][-1].data.startswith(STEP_SKIPPED)
    rig.pursue(2)
    rig.wait_until(lambda: rig.monitor._watching.runs)
    count = len(rig.said["deviation"])
    rig.show(images[:3], stamps[:3], START + 100.0)
    assert rig.said["deviation"][count].progress < 0.1, "another run begins"


def test_a_file_that_is_no_monitor_is_refused(make: Callable[..., Rig], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="there is no such file; make it with vjepa-mpc monitor fit"):
        make(monitor=str(tmp_path / "absent.npz"))
