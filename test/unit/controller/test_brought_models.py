"""A controller as the node makes one, on a model that was brought in another form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from support.checkpoints import HEADS, converted, jepa_wms, official, pretraining, random_model, tiny_encoder_21
from vjepa_mpc.controller import Observation, VisualMPC
from vjepa_mpc.controller.assembly import ModelSettings, make_controller
from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.goals import Budget, SubGoal
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.planning.agreement import AgreementBounds

POSE = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
QUICK = replace(PRESETS["cpu"], samples=16, topk=4, cem_steps=2)


def planned(checkpoint: Path, dtype: str = "float32") -> np.ndarray:
    """Actions [H, 7] from one picture towards another."""
    mpc = make_controller(
        ModelSettings(checkpoint=str(checkpoint), device="cpu", dtype=dtype),
        planner=QUICK,
        agreement=AgreementBounds(),
        gripper=GripperSettings(),
        action_rotation=np.eye(3),
    )
    assert isinstance(mpc, VisualMPC)
    here, there = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    mpc.set_goals([SubGoal(image=there, endings=(Budget(steps=5),))])
    return mpc.step(Observation(image=here, pose=POSE)).actions


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("frame_as", ["image", "clip"])
def test_planning_with_a_v_jepa_2_1_encoder(tmp_path: Path, frame_as: str, dtype: str) -> None:
    torch.save(pretraining(tiny_encoder_21(), "ema_encoder"), tmp_path / "vjepa2_1.pt")
    torch.save(jepa_wms(random_model()), tmp_path / "ac.pt")
    parts = "--encoder", tmp_path / "vjepa2_1.pt", "--predictor", tmp_path / "ac.pt"
    model = converted(*parts, *HEADS, "--frame-as", frame_as, tmp_path / "model.safetensors")
    actions = planned(model, dtype)
    assert np.isfinite(actions).all() and 0 < np.abs(actions[0, :3]).max() <= QUICK.maxnorm + 1e-6


def test_a_converted_file_plans_as_the_file_that_it_was_made_from(tmp_path: Path) -> None:
    torch.save(official(random_model()), tmp_path / "official.pt")
    exact = converted(tmp_path / "official.pt", *HEADS, "--dtype", "float32", tmp_path / "a.safetensors")
    again = converted(exact, "--dtype", "float32", tmp_path / "b.safetensors")
    assert np.array_equal(planned(exact), planned(again))
