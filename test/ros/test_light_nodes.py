"""Nodes and commands without a world model start without PyTorch: in half the time, and half the memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    "module",
    [
        "vjepa_mpc.ros.sim.node",
        "vjepa_mpc.ros.recorder.node",
        "vjepa_mpc.ros.franka.node",
        "vjepa_mpc.ros.teach_workspace.node",
        "vjepa_mpc.tools.set_goal",
    ],
)
def test_it_starts_without_pytorch(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{'torch', 'scipy.stats'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""
