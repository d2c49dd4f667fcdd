"""Raw pictures of 1280x720 at 30 Hz: a reliable camera's arrive; a best-effort one's that are lost are named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rclpy.qos import ReliabilityPolicy
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, PATIENCE, Recorder, Rig
from support.rigs.large_camera import TOPIC, stretched
from vjepa_mpc.ros.planner.inputs import LOSSES, LOST
from vjepa_mpc.tools.processes import NodeProcess

MODULES = Path(__file__).parents[2]
SIZE = (1280, 720)
RATE = 30.0  # Hz
COUNTED = re.compile(r"(\d+) of (\d+) published came in ([\d.]+) s, 2.8 MB each")
WATCHED = 2.0  # seconds of pictures that are judged, at least
STEPS = 5  # of the arm, each planned from a picture that came after the one before


@pytest.fixture(scope="module", params=["reliable", "best_effort"])
def offer(request: pytest.FixtureRequest) -> str:
    """How the camera publishes."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def planner(offer: str, domain: int, link: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A planner that sees large pictures, which a process of its own sends."""
    link.forget_planner()
    logs = tmp_path_factory.mktemp(offer)
    camera = NodeProcess(
        "support.rigs.large_camera",
        logs / "camera.log",
        domain,
        arguments=[offer, *map(str, SIZE), str(RATE)],
        environment={"PYTHONPATH": os.pathsep.join([str(MODULES), os.environ.get("PYTHONPATH", "")])},
    )
    with camera, Rig.start_planner(logs / "planner.log", domain, {"camera/image_raw": TOPIC}, **FAST) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"
        assert camera.returncode is None, f"the camera did not stay up:\n{camera.output()}"


@dataclass(frozen=True)
class Counted:
    """What /diagnostics says of the newest pictures."""

    came: int
    published: int  # by the publisher's own count
    duration: float  # seconds

    @classmethod
    def of(cls, values: dict[str, str]) -> Counted | None:
        """None while there are too few."""
        found = COUNTED.match(values.get("images", ""))
        counted = None if found is None else cls(int(found[1]), int(found[2]), float(found[3]))
        return None if counted is None or counted.duration < WATCHED else counted

    @property
    def share(self) -> float:
        """Of the published ones that came."""
        return self.came / self.published


def test_large_pictures_arrive_or_are_missed_by_name_while_set_points_go_on(
    rig: Rig, offer: str, picture: np.ndarray
) -> None:
    assert rig.request([stretched(picture, *SIZE)], steps=[1000]).success
    rig.wait_for_state(PlanStatus.EXECUTING)
    if offer == "reliable":
        arrive(rig)
    else:
        are_missed_by_name(rig)


def arrive(rig: Rig) -> None:
    """Pictures go on coming, are asked for again when they get lost, and nothing is held meanwhile.

    How many of 30 a second come is up to the machine; the guide has figures. That set-points are right, `rig` looks.
    """
    rig.link.wait_for_diagnostics(lambda values: Counted.of(values) is not None)
    rig.link.wait_for_status(lambda status: status.step > STEPS, PATIENCE)
    rig.link.wait_for_setpoint()
    (planner,) = (each for each in rig.link.subscribers_of(f"/{TOPIC}") if each.node_name == "planner_node")
    assert planner.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    silences = [each.message for each in rig.link.recording().statuses if each.reason == "IMAGE_SILENT"]
    assert not silences, silences


def are_missed_by_name(rig: Rig) -> None:
    """How many get lost is up to the machine; whenever it is many, it is said what to do."""
    values = rig.link.wait_for_diagnostics(lambda values: Counted.of(values) is not None)
    counted = Counted.of(values)
    assert counted is not None
    assert (LOST in values["images"]) == (counted.share < LOSSES), values["images"]
    silences = [each.message for each in rig.link.recording().statuses if each.reason == "IMAGE_SILENT"]
    assert all(LOST in message for message in silences), silences
