"""A small model with random weights, its published form as a file, and where a conversion goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from support.checkpoints import official, random_model
from vjepa_mpc.worldmodel import VJEPAWorldModel


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return random_model()


@pytest.fixture
def checkpoint(model: VJEPAWorldModel, tmp_path: Path) -> Path:
    torch.save(official(model), tmp_path / "official.pt")
    return tmp_path / "official.pt"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"
