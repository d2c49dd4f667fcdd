"""The examples of parts of one's own do what their texts say."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.planning import CEMConfig, CEMPlanner, planner_config
from vjepa_mpc.tools.cli import main
from vjepa_mpc.worldmodel import PointMassWorldModel

POSE = torch.tensor([0.5, 0.0, 0.15, torch.pi, 0.0, 0.0, 0.0])
GOAL = torch.tensor([0.5, 0.0, 0.02])


def first_action(config: CEMConfig, **planner: object) -> torch.Tensor:
    model = PointMassWorldModel()
    seen, wanted = model.encode(np.stack([model.render(POSE), model.render(GOAL)]))
    return CEMPlanner(model, config, torch.Generator().manual_seed(1), **planner).plan(seen, POSE, wanted).actions[0]


def test_the_objective_keeps_the_arm_above_the_height() -> None:
    own = import_module("own_objective").StayAbove()
    config = CEMConfig(rollout=1, samples=200, cem_steps=8, maxnorm=0.1)
    assert float(first_action(config)[2]) < -0.09
    assert float(first_action(config, objective=own)[2]) == pytest.approx(-0.05, abs=0.01)


def test_the_objective_is_chosen_by_name_and_takes_its_options() -> None:
    plain = {"rollout": 1, "samples": 200, "cem_steps": 8, "maxnorm": 0.1}
    own = {"objective": "own_objective:StayAbove", "stay_above.height": 0.12}
    assert float(first_action(planner_config({**plain, **own}))[2]) == pytest.approx(-0.03, abs=0.01)


def test_the_sampler_draws_numbers_of_variance_one_with_heavy_tails() -> None:
    drawn = import_module("own_sampler").Laplace().draw(20_000, 2, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 20_000, 4)
    assert float(drawn.var()) == pytest.approx(1.0, abs=0.03)
    assert float((drawn.abs() > 4.0).double().mean()) > 10 * 6.3e-5  # what normal numbers would be


def test_a_plan_with_own_parts_is_plotted(examples: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = tmp_path / "energies.png"
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join([str(examples), *sys.path])}
    done = subprocess.run(
        [sys.executable, examples / "plan_and_plot.py", picture],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    drawn = cv2.imread(str(picture))
    assert drawn is not None and drawn.std() > 5


@pytest.mark.slow
@pytest.mark.sim
def test_mpc_without_ros_gets_nearer(examples: Path) -> None:
    pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, examples / "mpc_without_ros.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    distances = [float(line.split(", ")[1].split(" cm")[0]) for line in done.stdout.splitlines()]
    assert distances[0] > 8.0 and distances[-1] < 2.5


@pytest.mark.slow
@pytest.mark.sim
def test_the_world_model_is_evaluated_by_its_name(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")
    words = ("--task", "gripper", "--episodes", "1", "--no-baselines", "--require", "0")
    assert main(["evaluate", *words, "--model", "own_world_model:ColourModel"]) == 0
    assert "gripper: 1 episodes" in capsys.readouterr().out


def test_a_world_model_of_ones_own_is_loaded_by_its_name(examples: Path) -> None:
    found = load_model(ModelSettings(checkpoint="own_world_model:ColourModel", device="cpu"))
    assert type(found).__name__ == "ColourModel"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"checkpoint": "own_world_model:ColorModel"}, "the module own_world_model has no ColorModel"),
        ({"checkpoint": "own_world:ColourModel"}, "put its folder on PYTHONPATH"),
        ({"checkpoint": "collections:OrderedDict"}, r"it lacks tokens_per_frame, .*encode\(\), .*rollout_bytes\(\)"),
        ({"checkpoint": "own_world_model:ColourModel", "dtype": "int8"}, "only files can be quantised"),
    ],
)
def test_what_is_no_world_model_is_refused(examples: Path, settings: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_model(ModelSettings(device="cpu", **settings))
