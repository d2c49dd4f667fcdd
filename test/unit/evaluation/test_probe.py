"""Whether a position can be read from latents."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from support.rigs import exact_model
from vjepa_mpc.evaluation.probe import position_error
from vjepa_mpc.sim import Workspace

BOX = Workspace()
ARM: Any = SimpleNamespace(config=SimpleNamespace(workspace=BOX), reset=lambda: None, goal_image=exact_model.draw)


class Blind(exact_model.ExactModel):
    """Its latents have nothing to do with the picture."""

    def encode(self, images: Any, crop: str = "square") -> torch.Tensor:
        torch.manual_seed(int(np.asarray(images).sum()))
        return torch.randn(len(images), 1, 4)


def test_a_position_that_is_in_the_latents_is_read_on_pictures_of_which_the_probe_does_not_know() -> None:
    assert position_error(exact_model.ExactModel(), ARM, 80, 0) < 0.005  # type: ignore[arg-type]


def test_a_position_that_is_not_in_them_is_not_read() -> None:
    spread = np.linalg.norm(np.subtract(BOX.high, BOX.low)) / 4
    assert position_error(Blind(), ARM, 80, 0) > spread  # type: ignore[arg-type]
