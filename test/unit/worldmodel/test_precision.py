"""Which dtype is chosen where."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from support.golden import relative_error
from vjepa_mpc.worldmodel import ModelConfig, build_world_model
from vjepa_mpc.worldmodel.speed import precision


def on_cpu_with(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(precision, "_cpu_flags", lambda: frozenset(flags))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("avx2",), torch.float32),
        (("avx512f", "avx512_bf16"), torch.bfloat16),
        (("amx_bf16",), torch.bfloat16),
        ((), torch.float32),
    ],
)
def test_auto_takes_bfloat16_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], expected: torch.dtype
) -> None:
    on_cpu_with(monkeypatch, *flags)
    assert precision.resolve_dtype("auto", "cpu") == expected


def test_a_dtype_that_the_device_lacks_is_replaced_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_cpu_with(monkeypatch, "avx2")
    with caplog.at_level(logging.WARNING):
        assert precision.resolve_dtype("bfloat16", "cpu") == torch.float32
        assert precision.resolve_dtype("float16", "cpu") == torch.float32
    assert "no native bfloat16" in caplog.text and "computing in float32 instead" in caplog.text


def test_float32_is_available_everywhere_and_unknown_names_are_refused() -> None:
    assert precision.resolve_dtype("float32") == torch.float32
    with pytest.raises(ValueError, match="dtype='fp8': choose one of auto, float32"):
        precision.resolve_dtype("fp8")


def test_flags_are_read_from_both_spellings_and_missing_files_mean_none(tmp_path: Path) -> None:
    arm = tmp_path / "arm"
    arm.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert "bf16" in precision._cpu_flags(arm)
    assert precision._cpu_flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((6, 1), torch.float32),  # Pascal
        ((7, 0), torch.float16),  # Volta
        ((7, 5), torch.float16),  # Turing
        ((8, 0), torch.bfloat16),  # Ampere
        ((9, 0), torch.bfloat16),
    ],
)
def test_auto_takes_what_a_gpu_has_matrix_units_for(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.resolve_dtype("auto", "cuda") == expected
    assert precision.resolve_dtype("bfloat16", "cuda") == expected


@torch.no_grad()
def test_a_rollout_in_float16_stays_close_to_float32() -> None:
    config = ModelConfig.from_dict(
        {
            "img_size": 32,
            "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
            "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
        }
    )
    exact = build_world_model(config)
    states = (exact.encoder.state_dict(), exact.predictor.state_dict())
    half = build_world_model(config, *states, dtype=torch.float16)
    random = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=random)
    actions, past = 0.05 * torch.randn(3, 6, 7, generator=random), 0.05 * torch.randn(1, 7, generator=random)
    rollouts = [
        model.start_rollout(model.encode(pictures), torch.zeros(2, 7), 6, len(actions), past) for model in (exact, half)
    ]
    for action in actions:
        expected, found = (rollout.step(action) for rollout in rollouts)
        assert found.dtype == torch.float16
        assert relative_error(found.float(), expected) < 5e-3
