"""Where motion has to be allowed again and again, silence holds the arm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from std_msgs.msg import Bool
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, Recorder, Rig
from vjepa_mpc.tools.processes import NodeProcess


@pytest.fixture(scope="module")
def planner(domain: int, link: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A planner that wants to hear twice a second that the arm may move."""
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    link.forget_planner()
    with Rig.start_planner(log, domain, motion_allowed_timeout="0.5", **FAST) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"


def test_nothing_moves_before_somebody_says_so_nor_after_the_last_word_has_aged(rig: Rig, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[1000]).success
    waiting = rig.wait_for_reason("NO_MOTION_ALLOWED")
    assert "nobody publishes on /planner_node/motion_allowed" in waiting.message
    assert rig.link.stays_silent(1.0)
    driver = rig.link.publisher(Bool, "planner_node/motion_allowed")
    rig.link.publish_until(driver, Bool(data=True), lambda status: status.state == PlanStatus.EXECUTING)
    rig.link.destroy_publisher(driver)  # as if it had died
    held = rig.wait_for_reason("MOTION_ALLOWED_SILENT")
    assert "/demo" in held.message and "motion_allowed_timeout" in held.message
    rig.link.wait_until_silent()
