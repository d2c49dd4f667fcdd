"""Which dtype is chosen where."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from vjepa_mpc.worldmodel import precision


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
