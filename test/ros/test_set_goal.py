"""The command set_goal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]


def test_set_goal_does_not_wait_for_pytorch() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")
    code = "import sys, vjepa_mpc.tools.set_goal; assert not {'torch', 'scipy'} & set(sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
