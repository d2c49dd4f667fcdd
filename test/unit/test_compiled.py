"""Compiled rollout steps give what plain ones give, and plain ones serve when compiling fails."""

from __future__ import annotations

import logging
import shutil
from typing import Any

import pytest
import torch
from golden import relative_error
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.layers import layer_norm_features

CONFIG = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
    }
)


@torch.no_grad()
def predictions(model: VJEPAWorldModel, actions: Tensor) -> list[Tensor]:
    context = layer_norm_features(torch.randn(4, 24, generator=torch.Generator().manual_seed(0)))
    rollout = model.start_rollout(context, torch.zeros(7), actions.shape[1], len(actions))
    return [rollout.step(action) for action in actions]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_steps_equal_plain_ones() -> None:
    model, actions = build_world_model(CONFIG), 0.05 * torch.randn(2, 5, 7)
    expected = predictions(model, actions)
    model.compile()
    for _ in range(2):
        for found, wanted in zip(predictions(model, actions), expected, strict=True):
            assert relative_error(found, wanted) < 1e-5


def test_when_compiling_fails_planning_goes_on_uncompiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing_compile(function: Any, **options: Any) -> Any:
        def fail(*args: Any) -> None:
            raise TorchDynamoException("no compiler here")

        return fail

    model, actions = build_world_model(CONFIG), 0.05 * torch.randn(2, 5, 7)
    expected = predictions(model, actions)
    monkeypatch.setattr(torch, "compile", failing_compile)
    model.compile()
    with caplog.at_level(logging.INFO):
        assert all(map(torch.equal, predictions(model, actions), expected))
    assert "compiling a rollout step for 5 candidates" in caplog.text
    assert caplog.text.count("torch.compile failed (no compiler here): planning goes on uncompiled") == 1
