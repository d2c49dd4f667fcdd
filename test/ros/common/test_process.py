"""What the core logs reaches the node's logger."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from rclpy.logging import get_logger

from vjepa_mpc.ros.common.process import RosLogHandler

pytestmark = pytest.mark.ros


def test_each_severity_is_passed_on_again_and_again(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("vjepa_mpc.planning.planner")
    logger.addHandler(RosLogHandler(get_logger("planner_node")))
    for _ in range(2):
        logger.info("a")
        logger.warning("b")
        logger.error("c")
    written = "".join(capfd.readouterr())
    for severity, message in (("INFO", "a"), ("WARN", "b"), ("ERROR", "c")):
        lines = [line for line in written.splitlines() if f"[{severity}]" in line]
        assert [line.endswith(f"[planner_node]: vjepa_mpc.planning.planner: {message}") for line in lines] == [
            True,
            True,
        ]
