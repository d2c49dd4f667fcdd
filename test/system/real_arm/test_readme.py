"""The README's section "On a real arm", word for word, on a robot that stands in for the real one.

It publishes on the topics of the profile and follows set-points as a Cartesian controller does. What differs from the
README is in `OTHERWISE`, and that `ros2 run` and `ros2 launch` are done by hand: not every machine has them.
"""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped

from support.rig import ROOT, START, Recorder, Rig, goal_picture
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.launching.arguments import PLAN_ARGUMENTS, parameters_of, unknown_names
from vjepa_mpc.ros.launching.files import absolute, robot_profile, workspace
from vjepa_mpc.tools.processes import DomainLease, NodeProcess, local_environment
from vjepa_mpc.worldmodel import bundled_model_path

SECTION = re.compile(r"## (?:On a real arm|What you need)\n.*?```bash\n(.*?)```", re.S)
CAMERA = "/camera/color/image_raw"
CORNERS = np.array([[0.40, -0.14, 0.05], [0.64, 0.14, 0.27]])
PLACES = {"grasped.png": (0.46, 0.06, 0.12), "lifted.png": (0.48, 0.08, 0.20), "placed.png": (0.55, -0.06, 0.14)}
ARRIVED = 0.025  # metres
HAND_SPEED = 0.2  # m/s
# A machine without a GPU that simulates the robot beside the planner; the model is the bundled one.
OTHERWISE = """/**:
  ros__parameters:
    device: cpu
    preset: cpu
    threads: 1
    replan_deadline: 60.0
    plan_max_age: 90.0
    image_timeout: 5.0
    pose_timeout: 2.0
"""
PATIENCE = 600.0  # seconds for eighteen steps on a machine that needs many for each


def commands(page: str) -> list[list[str]]:
    """What a page's section says to type, in words without comments."""
    found = SECTION.search((ROOT / page).read_text(encoding="utf-8"))
    assert found is not None
    return [shlex.split(line, comments=True) for line in found[1].replace("\\\n", " ").splitlines() if line.strip()]


def test_the_guide_says_the_same_as_the_readme() -> None:
    assert commands("README.md") == commands("docs/real-arm.md")


@pytest.fixture
def domain() -> int:
    """One of its own: there is another simulated arm in the other tests'."""
    return DomainLease().domain_id


@pytest.fixture
def link(domain: int, tmp_path: Path) -> Iterator[Recorder]:
    """The test's ears and hands, beside a robot that runs."""
    scene = {"block_position": "[0.6, -0.1]", "start_pose": str([float(value) for value in START])}
    remapped = {"camera/image_raw": CAMERA}
    robot = NodeProcess("sim_node", tmp_path / "robot.log", domain, parameters=scene, remappings=remapped)
    with robot, Recorder(domain) as recorder:
        yield recorder


def lead(link: Recorder, corners: np.ndarray) -> None:
    """Lead the arm by hand, here by a controller's input, to all corners and back to the start."""
    hand = link.publisher(PoseStamped, "target_pose")
    message = PoseStamped()
    message.header.frame_id = "base"
    message.pose.orientation.x, message.pose.orientation.w = 1.0, 0.0
    for corner in [*itertools.product(*corners.T), START[:3]]:
        began, before = measured(link), time.monotonic()
        way = np.linalg.norm(corner - began)
        while np.linalg.norm(measured(link) - corner) > 0.005:
            assert time.monotonic() - before < 120.0, f"the arm does not come to {corner}: {measured(link)}"
            share = min(1.0, HAND_SPEED * (time.monotonic() - before) / max(way, 1e-6))
            point = message.pose.position
            point.x, point.y, point.z = map(float, began + share * (corner - began))
            hand.publish(message)
            time.sleep(0.02)
    link.destroy_publisher(hand)


def measured(link: Recorder) -> np.ndarray:
    """Where the arm is, in metres."""
    for _ in range(600):
        if poses := link.recording().poses:
            return poses[-1].position
        time.sleep(0.1)
    raise AssertionError("the robot publishes no pose")


def teach(words: list[str], link: Recorder, domain: int, folder: Path) -> None:
    """`ros2 run vjepa_mpc teach_workspace ...`, until its Ctrl-C."""
    command = [sys.executable, "-u", "-m", "vjepa_mpc.ros.teach_workspace.node", *words]
    with subprocess.Popen(
        command, cwd=folder, env=local_environment(domain), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "Lead the arm" in said, said + process.stdout.read()
        lead(link, CORNERS)
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 0 and "workspace.yaml written" in said, said


def launch(words: list[str], domain: int, folder: Path) -> NodeProcess:
    """What `ros2 launch vjepa_mpc plan.launch.py ...` starts."""
    given = dict(word.split(":=", 1) for word in words)
    assert unknown_names(given, [argument.name for argument in PLAN_ARGUMENTS]) == []
    assert given.pop("device") == "cuda"
    values = {argument.name: argument.default for argument in PLAN_ARGUMENTS} | given
    otherwise = folder / "otherwise.yaml"
    otherwise.write_text(OTHERWISE)
    parameters = parameters_of(PLAN_ARGUMENTS, values) | workspace(str(folder / values["workspace"]))
    parameters["checkpoint"] = str(absolute(parameters["checkpoint"]))
    profile = robot_profile(values["robot"], ROOT / "config/robots")
    return NodeProcess(
        "planner_node",
        folder / "planner.log",
        domain,
        params_files=[ROOT / "config/planner.yaml", profile, otherwise],
        parameters={name: str(value) for name, value in parameters.items()},
    )


@pytest.mark.timeout(1200)
def test_a_stranger_who_types_what_the_readme_says_reaches_the_goal(
    link: Recorder, domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaching, launching, setting = commands("README.md")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(bundled_model_path(), tmp_path / "models" / "vitg.safetensors")
    for file, place in PLACES.items():
        (tmp_path / file).write_bytes(encode_png(goal_picture(np.array([*place, *START[3:]]))))

    assert teaching[:4] == ["ros2", "run", "vjepa_mpc", "teach_workspace"]
    teach(teaching[4:], link, domain, tmp_path)
    link.forget()

    assert launching[:4] == ["ros2", "launch", "vjepa_mpc", "plan.launch.py"]
    with launch(launching[4:], domain, tmp_path) as planner:
        link.wait_for_status(lambda status: status.reason == "NO_GOAL", PATIENCE)
        assert setting[:4] == ["ros2", "run", "vjepa_mpc", "set_goal"]
        done = subprocess.run(
            [sys.executable, "-m", "vjepa_mpc.tools.set_goal", *setting[4:]],
            cwd=tmp_path,
            env=local_environment(domain),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        Rig(planner, link).wait_for_reason("GOAL_FINISHED", PATIENCE)
        assert np.linalg.norm(measured(link) - PLACES["placed.png"]) < ARRIVED, planner.output()
    setpoints = np.array([setpoint.position for setpoint in link.recording().setpoints])
    taught = np.array(list(workspace(str(tmp_path / "workspace.yaml")).values()))
    assert len(setpoints) and (setpoints >= taught[0] - 1e-3).all() and (setpoints <= taught[1] + 1e-3).all()
    assert np.abs(taught - CORNERS).max() < 0.01
