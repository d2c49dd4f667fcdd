"""Stamps of another clock are told from late ones, with the remedy that helps."""

from __future__ import annotations

import pytest

from support.rigs.supervisor_rig import Rig
from vjepa_mpc.safety.guards.age import AgeReasons, check_age
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import ImageSample, Now

REASONS = AgeReasons(
    silent=Reason.IMAGE_SILENT,
    no_stamp=Reason.IMAGE_STAMP_ZERO,
    stale=Reason.IMAGE_STALE,
    future=Reason.IMAGE_FROM_FUTURE,
)
WALL = 1_795_698_674.0  # seconds


def said(stamp: float, ros: float) -> str:
    violation = check_age(ImageSample(stamp, 5.0, 0), Now(ros=ros, steady=5.0), 0.5, 0.1, REASONS)
    return "" if violation is None else violation.message


@pytest.mark.parametrize(
    ("stamp", "ros", "says"),
    [
        (12.5, WALL, "Give all nodes the same use_sim_time, true as with a simulator or a bag"),
        (WALL - 86400.0, WALL, "true as with a simulator or a bag, whose /clock (ros2 bag play --clock)"),
        (WALL, 12.5, "Give all nodes the same use_sim_time, false where nothing is simulated"),
        (WALL, 0.0, "Nothing has come over /clock, and use_sim_time is true"),
        (0.0, 0.0, "Nothing has come over /clock, and use_sim_time is true"),
    ],
)
def test_a_stamp_of_another_clock_names_use_sim_time(stamp: float, ros: float, says: str) -> None:
    assert says in said(stamp, ros)


@pytest.mark.parametrize(
    ("stamp", "ros", "remedy"),
    [
        (WALL - 3.0, WALL, Reason.IMAGE_STALE.remedy),
        (WALL + 3.0, WALL, Reason.IMAGE_FROM_FUTURE.remedy),
        (0.0, WALL, Reason.IMAGE_STAMP_ZERO.remedy),
    ],
)
def test_what_is_merely_late_keeps_its_own_remedy(stamp: float, ros: float, remedy: str) -> None:
    assert said(stamp, ros).endswith(remedy) and "use_sim_time" not in said(stamp, ros)


@pytest.mark.parametrize("which", ["image", "pose", "gripper"])
@pytest.mark.parametrize("offset", [WALL, -900.0])
def test_every_input_says_so_in_the_status(rig: Rig, which: str, offset: float) -> None:
    rig.start()
    rig.stamp_offset[which] = offset
    decision = rig.run(0.5)
    assert decision.reason.name.startswith(which.upper()) and "use_sim_time" in decision.message
