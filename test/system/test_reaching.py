"""Goals go in through the service or the action, and the arm gets there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from vjepa_mpc.msg import PlanStatus

from support.rig import GOAL, PATIENCE, START, Rig
from vjepa_mpc.images import encode_png

PLANS: dict[str, str] = {}  # as good as users get them
STEPS = 10
ARRIVED = 0.025  # metres


def test_a_goal_image_by_service_brings_the_arm_there(rig: Rig, picture: np.ndarray) -> None:
    answer = rig.request([picture], steps=[STEPS])
    assert answer.success, answer.message
    finished = rig.wait_for_reason("GOAL_FINISHED", 3 * PATIENCE)
    assert np.linalg.norm(rig.position() - GOAL[:3]) < ARRIVED
    assert f"BUDGET after {STEPS}" in finished.message
    steps = [status.step for status in rig.link.statuses_of(answer.goal_id) if status.state == PlanStatus.EXECUTING]
    assert steps == list(range(1, STEPS + 1))
    assert rig.link.setpoints
    assert rig.link.stays_silent()


def test_goal_files_on_the_planners_disk(rig: Rig, picture: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "goal.png"
    file.write_bytes(encode_png(picture))
    assert rig.request(image_files=[str(file)], steps=[2]).success
    rig.wait_for_reason("GOAL_FINISHED")
    assert np.linalg.norm(rig.position() - GOAL[:3]) < np.linalg.norm(START[:3] - GOAL[:3])


def test_the_camera_now_as_goal_keeps_the_arm_where_it_is(rig: Rig) -> None:
    assert rig.request_current(2).success
    rig.wait_for_reason("GOAL_FINISHED")
    assert np.linalg.norm(rig.position() - START[:3]) < ARRIVED


def test_a_new_goal_supersedes_the_running_one(rig: Rig, picture: np.ndarray) -> None:
    first = rig.request([picture], steps=[50])
    rig.wait_for_state(PlanStatus.EXECUTING)
    second = rig.request([picture], steps=[1])
    assert second.goal_id > first.goal_id
    assert rig.wait_for_reason("GOAL_FINISHED").goal_id == second.goal_id


def test_clearing_the_goal_stops_the_arm(rig: Rig, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[50]).success
    rig.wait_for_state(PlanStatus.EXECUTING)
    rig.clear_goal()
    assert rig.wait_for_reason("NO_GOAL").state == PlanStatus.IDLE
    where = rig.position()
    assert rig.link.stays_silent()
    assert np.linalg.norm(rig.position() - where) < 1e-3
