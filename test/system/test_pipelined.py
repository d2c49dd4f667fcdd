"""Pipelined execution with the bundled model: the next action is planned while the arm moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.rig import GOAL, PATIENCE, Recorder, Rig
from vjepa_mpc.tools.processes import NodeProcess

STEPS = 10
ARRIVED = 0.025  # metres


def test_pipelined_execution_brings_the_arm_there_too(
    sim: NodeProcess, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray
) -> None:
    with Rig.start_planner(tmp_path / "planner_node.log", domain, execution="pipelined") as process:
        rig = Rig(process, link)
        rig.reset()
        answer = rig.request([picture], steps=[STEPS])
        assert answer.success, answer.message
        rig.wait_for_reason("GOAL_FINISHED", 3 * PATIENCE)
        assert np.linalg.norm(rig.position() - GOAL[:3]) < ARRIVED
        assert len(rig.link.statuses_of(answer.goal_id)) >= STEPS
    link.check_setpoints()
