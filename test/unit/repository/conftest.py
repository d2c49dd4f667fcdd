"""What the tests of the benchmarks share."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from support.rigs.small_model import SMALL_MODEL
from vjepa_mpc.worldmodel import build_world_model, save_world_model

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tiny_model(tmp_path: Path) -> str:
    """The path of a checkpoint whose plans take hardly any time."""
    model, path = build_world_model(SMALL_MODEL), tmp_path / "tiny.safetensors"
    save_world_model(path, SMALL_MODEL, model.encoder.state_dict(), model.predictor.state_dict())
    return str(path)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a file of `benchmarks/`."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module
