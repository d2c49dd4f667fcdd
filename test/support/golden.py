"""Reference data that the published code computed.

A small model is in the repository (``test/data``, made by ``scripts/make_golden.py``); the rest lies beside the
repository, in ``../shared``, and the tests that need it are skipped where it is absent.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vjepa_mpc.worldmodel import VJEPAWorldModel, build_world_model

SMALL = Path(__file__).resolve().parents[1] / "data" / "golden_small.npz"
SHARED = Path(os.environ.get("VJEPA_MPC_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def reference(name: str) -> Path:
    """A file of the reference data; the calling test is skipped, with the reason, where it is absent."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(
            f"reference data {path} is absent: put the shared folder beside the repository or set VJEPA_MPC_SHARED. "
            "Without it, parity is only tested with the small model of test/data"
        )
    return path


@dataclass(frozen=True)
class GoldenModel:
    """One of the small models and what the published code made of its inputs."""

    config: dict[str, Any]
    arrays: dict[str, Tensor]
    encoder_state: dict[str, Tensor]
    predictor_state: dict[str, Tensor]

    def __getitem__(self, key: str) -> Tensor:
        return self.arrays[key]

    def world_model(self, **options: Any) -> VJEPAWorldModel:
        return build_world_model(self.config, self.encoder_state, self.predictor_state, **options)


def golden_model(name: str = "small") -> GoldenModel:
    """A model by name; ``small`` is the one that every clone has."""
    with np.load(SMALL if name == "small" else reference(f"golden/{name}.npz")) as archive:
        config = json.loads(str(archive["config"]))
        arrays = {key: _tensor(archive[key]) for key in archive.files if key != "config"}

    def part(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

    return GoldenModel(config, arrays, part("encoder/"), part("predictor/"))


def _tensor(values: np.ndarray) -> Tensor:
    """What is stored in half precision was so when the published code read it, as float32."""
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values)


def relative_error(value: Tensor, expected: Tensor) -> float:
    return float((value.double() - expected.double()).norm() / expected.double().norm())
