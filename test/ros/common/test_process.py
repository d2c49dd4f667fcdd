"""What the core logs reaches the node's logger, and signals end a node however many come."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from rclpy.logging import get_logger

from vjepa_mpc.ros.common.process import RosLogHandler, wait_until

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[3]
NODE = """
import sys
from rclpy.node import Node
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.parameters.arguments import NodeParameters

class Waiting(Node):
    def start(self): print("started", flush=True)
    def stop(self): return True
    def work(self, stopping):
        process.wait_until(lambda: False, stopping, 1e6)
        return 0

def made(): return Waiting("waiting")
sys.exit(process.run(made, NodeParameters("waiting", lambda values: (), "waits"), ["waiting"], work=WORK))
"""


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


@pytest.mark.parametrize("work", ["None", "Waiting.work"])
def test_signals_that_come_in_a_burst_end_a_node_in_order(work: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", NODE.replace("WORK", work)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None and node.stdout.readline() == "started\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 100:
            node.send_signal(number)
        try:
            assert node.wait(30.0) == 0, node.stderr and node.stderr.read()
        finally:
            node.kill()


def test_what_comes_together_with_the_signal_has_come() -> None:
    come, stopping = [], threading.Event()

    class Signal(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            come.append(True)  # while it was waited for
            return True

    assert wait_until(lambda: bool(come), Signal(), 10.0)
    stopping.set()
    assert not wait_until(lambda: False, stopping, 10.0)
