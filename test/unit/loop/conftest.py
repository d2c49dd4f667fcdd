"""An exact world model, and visual MPC with it."""

from __future__ import annotations

import pytest

from support.rigs.plain_loop import CONFIG
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.worldmodel import PointMassWorldModel


@pytest.fixture
def model() -> PointMassWorldModel:
    return PointMassWorldModel()


@pytest.fixture
def mpc(model: PointMassWorldModel) -> VisualMPC:
    return VisualMPC(model, CONFIG)
