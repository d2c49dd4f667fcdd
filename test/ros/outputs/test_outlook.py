"""What plans promise, and what of it comes true, is on ~/status and in the diagnostics."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.msg import PlanStatus

from support.rigs.loop_rig import START, LoopRig, running, settings, stamp
from vjepa_mpc.ros.planner import diagnostics

pytestmark = pytest.mark.ros

AWAY = np.array([0.2, 0.1, 0.05])


class Remembering(LoopRig):
    """Keeps every status."""

    def __init__(self, *arguments, **options) -> None:
        self.told: list[PlanStatus] = []
        super().__init__(*arguments, **options)

    def _on_status(self, message: PlanStatus) -> None:
        self.told.append(message)
        super()._on_status(message)


def test_the_status_tells_what_a_plan_promises_and_whether_that_came_true() -> None:
    with running(settings(), rig_type=Remembering) as rig:
        assert math.isnan(rig.wait_for("NO_GOAL").contrast)
        rig.set_goal(START + AWAY, steps=3)
        rig.wait_until(lambda: any(status.step >= 2 for status in rig.told))
        seen = diagnostics.configured("planner", stamp(), rig.loop, rig.inputs)
        rig.wait_for("GOAL_FINISHED")
        moving = [status for status in rig.told if status.reason == "NONE" and status.step]
        first, second = (next(status for status in moving if status.step == step) for step in (1, 2))
        values = {value.key: value.value for value in seen.status[0].values}
    assert first.energy_expected < first.energy_still == pytest.approx(first.energy, rel=1e-3)
    assert first.contrast > 0.1 and math.isnan(first.kept)
    came_true = (first.energy - second.energy) / (first.energy_still - first.energy_expected)
    assert second.kept == pytest.approx(came_true, rel=1e-3) and 0.5 < second.kept < 2.0
    assert values.keys() >= {"contrast", "share of the promised fall that came true", "surprise"}
    # The point mass is predicted exactly, but for the pixels of its picture.
    assert math.isnan(first.surprise) and 0.0 <= second.surprise < 0.1 * np.linalg.norm(AWAY)


def test_a_picture_that_stays_the_same_keeps_nothing_of_what_was_promised() -> None:
    with running(settings(), rig_type=Remembering) as rig:
        rig.alter[rig.settings.topics.image] = Still()
        rig.set_goal(START + AWAY, steps=3)
        rig.wait_until(lambda: any(status.step == 2 for status in rig.told))
        second = next(status for status in rig.told if status.step == 2)
    assert second.kept == pytest.approx(0.0, abs=0.05)


class Still:
    """The picture that came first, again and again, with one changing corner."""

    def __init__(self) -> None:
        self._data: bytes | None = None
        self._count = 0

    def __call__(self, message):
        self._data = bytes(message.data) if self._data is None else self._data
        self._count += 1
        message.data = self._data[:-1] + bytes([self._count % 256])
        return message
