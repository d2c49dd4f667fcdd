"""Rollouts in eight bits: the arithmetic, and the gate that asks whether plans stay the same."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from support.golden import relative_error
from vjepa_mpc.planning import AgreementBounds, CEMConfig, admit_quantised, measure_agreement
from vjepa_mpc.planning.agreement import Agreement
from vjepa_mpc.worldmodel import (
    PointMassWorldModel,
    UnsupportedPrecisionError,
    VJEPAWorldModel,
    bundled_model_path,
    load_world_model,
    quantise,
)
from vjepa_mpc.worldmodel.speed import quantised

CONFIG = CEMConfig(rollout=1, samples=48, topk=8, cem_steps=5, maxnorm=0.075)


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return load_world_model(bundled_model_path())


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [(quantised.Int8Linear, 0.02), (quantised.CPUInt8Linear, 0.03), (quantised.Float8Linear, 0.06)],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("shape", [(5, 66, 48), (70, 48)])
@torch.no_grad()
def test_layers_stay_close_to_the_exact_one(
    make: Callable[[nn.Linear], nn.Module], tolerance: float, shape: tuple[int, ...]
) -> None:
    random = torch.Generator().manual_seed(0)
    layer, x = nn.Linear(48, 32), torch.randn(shape, generator=random)
    layer.weight *= torch.logspace(-2, 1, 32)[:, None]  # channels of very different size: one scale would not do
    expected = layer(x)
    for dtype in (torch.float32, torch.bfloat16):
        found = make(layer)(x.to(dtype))
        assert found.dtype == dtype and found.shape == expected.shape
        for channel in (0, 16, 31):
            assert relative_error(found[..., channel], expected[..., channel]) < tolerance


@torch.no_grad()
def test_a_single_row_and_one_of_zeros() -> None:
    layer, x = nn.Linear(48, 32), torch.randn(1, 48)
    for make in (quantised.Int8Linear, quantised.CPUInt8Linear, quantised.Float8Linear):
        assert relative_error(make(layer)(x), layer(x)) < 0.1
        assert torch.allclose(make(layer)(torch.zeros(3, 48)), layer.bias.expand(3, -1), atol=1e-2)


def test_quantising_leaves_the_model_as_it_is_and_shares_the_encoder(model: VJEPAWorldModel) -> None:
    before = copy.deepcopy(model.predictor.state_dict())
    rounded = quantise(model, "int8")
    assert rounded.encoder is model.encoder
    assert all(torch.equal(before[key], value) for key, value in model.predictor.state_dict().items())
    assert isinstance(rounded.predictor.blocks[0].attn.qkv, quantised.CPUInt8Linear)


@pytest.mark.slow
def test_without_packed_layers_in_pytorch_int8_still_works(
    model: VJEPAWorldModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "_PACKS_INT8", False)
    assert measure_agreement(model, quantise(model, "int8"), CONFIG).within(AgreementBounds())


def test_unknown_precisions_and_devices_without_fp8_are_refused(model: VJEPAWorldModel) -> None:
    with pytest.raises(ValueError, match="precision='int4': choose one of int8, fp8"):
        quantise(model, "int4")
    with pytest.raises(UnsupportedPrecisionError, match=r"compute capability 8\.9 or newer .* the model is on cpu"):
        quantise(model, "fp8")


@pytest.mark.parametrize(
    ("precision", "capability", "says"),
    [
        ("int8", (7, 0), r"int8 needs an NVIDIA GPU of compute capability 7\.5 or newer .* is on cuda:0 of 7\.0"),
        ("fp8", (8, 6), r"fp8 needs an NVIDIA GPU of compute capability 8\.9 or newer .* is on cuda:0 of 8\.6"),
        ("int8", None, r"int8 needs an NVIDIA GPU .* the model is on mps"),
    ],
)
def test_devices_without_the_products_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, precision: str, capability: tuple[int, int] | None, says: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    with pytest.raises(UnsupportedPrecisionError, match=says):
        quantised._check_device(torch.device("mps" if capability is None else "cuda:0"), precision)


@pytest.mark.parametrize(("precision", "features"), [("int8", (48, 36)), ("int8", (36, 48)), ("fp8", (48, 40))])
def test_sizes_that_a_gpu_cannot_multiply_are_refused(precision: str, features: tuple[int, int]) -> None:
    layer = nn.Linear(*features)
    quantised._check_sizes(layer, torch.device("cpu"), precision)
    with pytest.raises(UnsupportedPrecisionError, match=f"has one from {features[0]} to {features[1]}"):
        quantised._check_sizes(layer, torch.device("cuda"), precision)


def test_an_operator_that_fails_is_found_out_before_planning(
    model: VJEPAWorldModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(rows: Tensor, weight: Tensor) -> Tensor:
        raise RuntimeError("CUBLAS_STATUS_NOT_SUPPORTED\nand much more")

    monkeypatch.setattr(quantised, "_PACKS_INT8", False)
    monkeypatch.setattr(torch, "_int_mm", unsupported)
    assert admit_quantised(model, "int8", CONFIG, AgreementBounds()) is model
    assert "cannot compute in int8: CUBLAS_STATUS_NOT_SUPPORTED; planning in float32 instead" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", quantised.QUANTISATIONS)
def test_on_a_gpu(precision: str) -> None:
    on_gpu = load_world_model(bundled_model_path(), "cuda", torch.bfloat16)
    try:
        rounded = quantise(on_gpu, precision)
    except UnsupportedPrecisionError as error:
        pytest.skip(str(error))
    assert measure_agreement(on_gpu, rounded, CONFIG).within(AgreementBounds())


@pytest.mark.slow
def test_the_gate_admits_int8_on_the_bundled_model_with_the_numbers(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        admitted = admit_quantised(model, "int8", CONFIG, AgreementBounds())
    assert admitted is not model
    assert "planning in int8, which finds the plans of float32: top-k overlap" in caplog.text
    assert "times as fast" in caplog.text


@pytest.mark.slow
def test_the_gate_refuses_a_broken_quantisation_with_the_numbers(
    model: VJEPAWorldModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class TwoBits(quantised.CPUInt8Linear):
        """Weights rounded to -1, 0 and 1 times their scale."""

        def __init__(self, layer: nn.Linear) -> None:
            coarse = copy.deepcopy(layer)
            scale = layer.weight.abs().amax(dim=1, keepdim=True)
            coarse.weight.copy_((layer.weight / scale).round() * scale)
            super().__init__(coarse)

    monkeypatch.setattr(quantised, "CPUInt8Linear", TwoBits)
    with caplog.at_level(logging.WARNING):
        assert admit_quantised(model, "int8", CONFIG, AgreementBounds()) is model
    assert "int8 does not find the plans of float32: top-k overlap" in caplog.text
    assert "wanted 0.800 or more, 0.9900 or more, 10.00 mm or less" in caplog.text
    assert "planning in float32 instead" in caplog.text


def test_without_fp8_on_the_device_the_gate_falls_back_and_says_so(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    assert admit_quantised(model, "fp8", CONFIG, AgreementBounds()) is model
    assert "fp8 needs an NVIDIA GPU" in caplog.text and "planning in float32 instead" in caplog.text


def test_a_model_agrees_with_itself_and_its_seed(model: VJEPAWorldModel) -> None:
    exact = measure_agreement(PointMassWorldModel(), PointMassWorldModel(), CONFIG)
    assert exact.speed_up > 0.0
    assert exact == Agreement(
        topk_overlap=1.0, rank_correlation=pytest.approx(1.0), action_difference=0.0, speed_up=exact.speed_up
    )


def test_a_model_that_predicts_the_same_for_everything_does_not_agree() -> None:
    class Stuck(PointMassWorldModel):
        def start_rollout(self, *args: object, **options: object) -> object:
            rollout = super().start_rollout(*args, **options)  # type: ignore[arg-type]
            step: Callable[[Tensor], Tensor] = rollout.step
            rollout.step = lambda actions: step(torch.zeros_like(actions))  # type: ignore[method-assign]
            return rollout

    found = measure_agreement(PointMassWorldModel(), Stuck(), CONFIG)
    assert math.isnan(found.rank_correlation) and not found.within(AgreementBounds())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topk_overlap": 1.5}, r"agreement\.topk_overlap=1\.5"),
        ({"action_difference": -1.0}, "use a finite number from 0 to 1 m"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AgreementBounds(**change)
