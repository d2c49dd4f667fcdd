"""Where motion has to be allowed again and again, silence holds the arm."""

from __future__ import annotations

import numpy as np
from std_msgs.msg import Bool
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, Rig

PLANS = {**FAST, "motion_allowed_timeout": "0.5"}  # it wants to hear twice a second that the arm may move


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
