"""Executables that are started with wrong parameters end at once, with one line that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.tools.processes import DomainLease, local_environment

pytestmark = pytest.mark.ros

BOX = "/**:\n  ros__parameters:\n    workspace.lower: [0.3, -0.25, 0]\n"
TYPO = "/**:\n  ros__parameters:\n    limits.linear_sped: 0.05\n"


@pytest.mark.parametrize(
    ("module", "arguments", "text", "says"),
    [
        ("planner", [], TYPO, ":3: limits.linear_sped: there is no such parameter; did you mean limits.linear_speed?"),
        ("planner", ["-p", "sample:=16"], BOX, "did you mean samples?"),
        ("planner", [], BOX, "workspace.upper=None: give both corners"),
        ("sim", ["-r", "__ns:=/lab"], "sim_node:\n  ros__parameters:\n    seed: 1\n", "this node, /lab/sim_node"),
        (
            "franka",
            ["-p", "rate:=fast"],
            "/**:\n  ros__parameters:\n    hand: false\n",
            "write -p rate:=100.0, for example",
        ),
        ("calibrate", ["-p", "samples:=64.0", "-p", "places:=2"], BOX, "write -p samples:=64"),
    ],
)
def test_a_wrong_parameter_ends_the_process_with_one_line(
    module: str, arguments: list[str], text: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text)
    command = [
        sys.executable,
        "-m",
        f"vjepa_mpc.ros.{module}.node",
        "--ros-args",
        "--params-file",
        str(file),
        *arguments,
    ]
    environment = local_environment(DomainLease().domain_id)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("cannot start: ") and says in lines[0]


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"vjepa_mpc.ros.{module}.node", *arguments]
    environment = local_environment(DomainLease().domain_id)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        ("planner", ["--ros-args", "--parms-file", "x.yaml"], "--parms-file: there is no such option after --ros-args"),
        ("sim", ["seed:=3"], "write --ros-args -p seed:=3"),
        ("franka", ["--sede", "3"], "--sede: there is no such option; --help lists what there is"),
        ("calibrate", ["--params-file", "x.yaml"], "ROS's options stand after --ros-args"),
        ("teach_workspace", ["--ros-args", "--log-levl", "warn"], "did you mean --log-level?"),
        ("teach_workspace", ["--timeout", "nan"], "--timeout: nan: give a number"),
        ("teach_workspace", ["--pose-topic", "a b"], "'a b' is no name that ROS allows"),
        ("play", ["--minutes", "nan"], "--minutes: nan: give a number"),
        ("planner", ["--ros-args", "-p", "topics.image:=a b"], "topics.image: 'a b' is no name that ROS allows"),
        ("recorder", ["--ros-args", "-p", "also:=/x, a b"], "also: 'a b' is no name that ROS allows"),
        ("recorder", ["--ros-args", "-p", "planner:=a b"], "planner: 'a b' is no name that ROS allows"),
        ("sim", ["--ros-args", "-r", "__ns:=/9"], "__ns:=/9"),
        ("franka", ["--ros-args", "--log-level", "loud"], "--log-level loud"),
        ("calibrate", ["--ros-args", "-r", "image:=a b"], "image:=a b"),
        ("sim", ["--ros-args", "-e", "lab"], "Enclave name is not valid"),
    ],
)
def test_a_misspelt_option_is_refused(module: str, arguments: list[str], says: str) -> None:
    done = run(module, *arguments)
    (line,) = (line for line in done.stderr.splitlines() if "[rcl]" not in line)  # ROS's own log
    assert done.returncode == 2
    assert line.startswith(("cannot start: ", f"{module}: ")) and says in line


@pytest.mark.parametrize(
    ("module", "parameter"),
    [("planner", "limits.linear_speed"), ("sim", "seed"), ("franka", "rate"), ("calibrate", "move_length")],
)
def test_help_starts_no_node_and_lists_the_parameters(module: str, parameter: str) -> None:
    done = run(module, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("usage: ") and f"\n  {parameter} (default: " in done.stdout
