"""Kernels chosen for a device give what the plain functions give."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from support.golden import relative_error
from vjepa_mpc.worldmodel.vjepa import kernels

TOLERANCE = {torch.float32: 1e-6, torch.bfloat16: 1e-2}


@pytest.fixture(params=TOLERANCE, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.mark.parametrize("shape", [(5, 66, 48), (1, 1, 48), (7, 48)])
@torch.no_grad()
def test_linear_layers(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    random = torch.Generator().manual_seed(0)
    layer, x = nn.Linear(48, 40), torch.randn(shape, generator=random)
    expected = layer(x)
    layer, x = layer.to(dtype), x.to(dtype)
    assert relative_error(kernels.linear(x, layer), expected) < TOLERANCE[dtype]
    assert relative_error(kernels.linear_gelu(x, layer), F.gelu(expected)) < TOLERANCE[dtype]


@torch.no_grad()
def test_attention(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(4, 3, tokens, 24, generator=random) for tokens in (66, 132, 132))
    expected = F.scaled_dot_product_attention(q, k, v)
    found = kernels.attention(q.to(dtype), k.to(dtype), v.to(dtype))
    assert found.dtype == dtype and relative_error(found, expected) < TOLERANCE[dtype]


def test_gradients_flow() -> None:
    layer, x = nn.Linear(8, 8), torch.randn(2, 8, requires_grad=True)
    kernels.linear(kernels.linear_gelu(x, layer), layer).sum().backward()
    assert x.grad is not None and layer.weight.grad is not None


@torch.no_grad()
def test_without_onednn_the_plain_functions_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = nn.Linear(8, 8), torch.randn(2, 8)
    monkeypatch.setattr(kernels, "_onednn_computes", lambda dtype: False)
    assert torch.equal(kernels.linear(x, layer), layer(x))
