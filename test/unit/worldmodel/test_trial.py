"""A world model of one's own is tried before anything depends on it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from support.rigs.small_model import small_model
from vjepa_mpc.controller import Observation, VisualMPC
from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.goals import Budget, SubGoal
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.tools.cli import main
from vjepa_mpc.worldmodel import PointMassWorldModel, try_world_model
from vjepa_mpc.worldmodel.point_mass import PointMassRollout

PAGE = Path(__file__).resolve().parents[3] / "docs" / "own-world-model.md"
POSE = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])


class Rollout(PointMassRollout):
    """Does one thing otherwise than it should."""

    def __init__(self, position: Tensor, fault: str) -> None:
        super().__init__(position.clone())
        self.fault = fault

    def reset(self) -> None:
        if self.fault != "no reset":
            super().reset()

    def step(self, actions: Tensor) -> Any:
        if self.fault == "in place":
            first = self._position is self._start
            self._position = self._position.repeat(len(actions), 1, 1) if first else self._position
            self._position += actions[:, None, :3]
            return self._position
        found = super().step(actions)
        return {"no tokens": found[:, 0], "one for all": found[:1], "numpy": found.numpy(), "nan": found / 0.0}.get(
            self.fault, found
        )


class Model(PointMassWorldModel):
    """A model with such a rollout, or with a fault of its own."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def encode(self, images: Any, crop: Any = "square") -> Any:
        latents = super().encode(images, crop)
        return {"encodes flat": latents[:, 0], "encodes float64": latents.double(), "encodes nothing": None}.get(
            self.fault, latents
        )

    def start_rollout(self, context: Tensor, *_: Any, **__: Any) -> Any:
        return None if self.fault == "no rollout" else Rollout(context.reshape(-1, 1, 3)[-1], self.fault)

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        return 0 if self.fault == "no bytes" else 12


@pytest.mark.parametrize("model", [PointMassWorldModel(), small_model(), Model("none")])
def test_what_keeps_its_promises_passes(model: Any) -> None:
    try_world_model(model)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("encodes flat", r"encode\(\) returns latents of shape \[2, 3\] instead of \[2, 1, 3\]"),
        ("encodes float64", r"encode\(\) returns latents in torch.float64 instead of torch.float32"),
        ("encodes nothing", r"encode\(\) returns a NoneType instead of a torch.Tensor"),
        ("no bytes", r"rollout_bytes\(\) returns 0 instead of a positive whole number"),
        ("no rollout", r"start_rollout\(\) returns a NoneType that lacks step\(\), reset\(\)"),
        ("no tokens", r"step\(\) returns latents of shape \[2, 3\] instead of \[2, 1, 3\]"),
        ("one for all", r"step\(\) returns latents of shape \[1, 1, 3\] instead of \[2, 1, 3\]"),
        ("numpy", r"step\(\) returns a ndarray instead of a torch.Tensor"),
        ("nan", r"step\(\) returns numbers that are not finite"),
        ("in place", r"a second step\(\) changes the latents that the first one returned"),
        ("no reset", r"after reset\(\) the first step\(\) predicts something else"),
    ],
)
def test_what_does_not_is_said(fault: str, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        try_world_model(Model(fault))


@pytest.fixture
def page_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the model that the page shows, written down as it says."""
    example = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[0]
    (tmp_path / "my_world_model.py").write_text(example)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_world_model", raising=False)
    return "my_world_model:PatchModel"


def test_the_page_alone_makes_a_model_that_plans(page_model: str) -> None:
    mpc = VisualMPC(load_model(ModelSettings(checkpoint=page_model, device="cpu")), PRESETS["cpu"])
    here, there = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    mpc.set_goals([SubGoal(image=there, endings=(Budget(steps=3),))])
    actions = mpc.step(Observation(image=here, pose=POSE)).actions
    assert actions.shape == (1, 7) and np.isfinite(actions).all()  # its weights are random, and so is where it goes


@pytest.mark.slow
@pytest.mark.sim
def test_the_page_alone_makes_a_model_that_is_evaluated(page_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "gripper", "--episodes", "1", "--no-baselines", "--require", "0")
    assert main(["evaluate", *words, "--model", page_model]) == 0
    assert "gripper: 1 episodes" in capsys.readouterr().out


@pytest.mark.parametrize("function", ["needs", "number"])
def test_what_cannot_be_called_without_arguments_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    (tmp_path / "of_other_kinds.py").write_text("def needs(path): ...\nnumber = 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="called without arguments"):
        load_model(ModelSettings(checkpoint=f"of_other_kinds:{function}", device="cpu"))
