"""Every executable refuses a misspelt word of ROS's, in one line, before it does anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

pytestmark = [pytest.mark.ros, pytest.mark.slow]
SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
NODES = sorted(script.name for script in SCRIPTS.iterdir() if script.suffix == "" and script.name != "vjepa-mpc")


def test_all_executables_are_looked_at() -> None:
    assert {"planner_node", "set_goal", "sim_node", "teach_workspace"} <= set(NODES)


@pytest.mark.parametrize("name", NODES)
def test_a_misspelt_option_of_ros_is_refused_with_the_right_one(name: str) -> None:
    command = [sys.executable, str(SCRIPTS / name), "--ros-args", "--remapp", "a:=b"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "--remapp: there is no such option after --ros-args; did you mean --remap?" in done.stderr
