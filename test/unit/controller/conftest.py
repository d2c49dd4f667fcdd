"""A model and a controller for each test."""

from __future__ import annotations

import pytest

from support.rigs.counting_model import CONFIG, CountingModel
from vjepa_mpc.controller.visual_mpc import VisualMPC


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


@pytest.fixture
def mpc(model) -> VisualMPC:
    return VisualMPC(model, CONFIG, seed=1)
