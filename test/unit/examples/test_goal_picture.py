"""The goal picture of the README: it shows the simulated arm above the block as a new simulator has it, and works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")
pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.srv", reason="the package is not built: run `make build`")

from vjepa_mpc.controller import Observation, VisualMPC
from vjepa_mpc.goals import Budget, SubGoal
from vjepa_mpc.images import read_image_file
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.ros.sim.parameters import SimSettings
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.worldmodel import bundled_model_path, load_world_model

pytestmark = [pytest.mark.sim, pytest.mark.ros]

PICTURE = Path(__file__).resolve().parents[3] / "examples/goals/above_block.png"
POSE = (0.55, -0.055, 0.12, 3.14159, 0.0, 0.0, 0.0)  # as docs/goals.md has the simulator started with
STEPS = 6
WITHIN = 0.03  # metres


@pytest.fixture(scope="module")
def simulator() -> Iterator[FrankaSim]:
    with FrankaSim() as sim:
        yield sim


def test_it_shows_what_the_documented_command_keeps(simulator: FrankaSim) -> None:
    SimSettings(start_pose=POSE).reset(simulator)
    difference = simulator.render().astype(int) - read_image_file(PICTURE).astype(int)
    assert np.abs(difference).mean() < 2.0, "make it anew as docs/goals.md says"


def test_it_leads_the_arm_above_the_block(simulator: FrankaSim) -> None:
    SimSettings().reset(simulator)
    mpc = VisualMPC(load_world_model(bundled_model_path()), PRESETS["cpu"])
    mpc.set_goals([SubGoal(image=read_image_file(PICTURE), endings=(Budget(steps=STEPS),))])
    while not (step := mpc.step(Observation(image=simulator.render(), pose=simulator.pose))).finished:
        target = simulator.config.workspace.clip(step.target_pose[:3])
        simulator.execute(np.concatenate([target, step.target_pose[3:]]), float(step.target_pose[6]))
    assert np.linalg.norm(simulator.pose[:3] - POSE[:3]) < WITHIN
