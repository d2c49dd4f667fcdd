"""The transformer's arithmetic by the fastest kernel that the device has for it.

On a GPU, in training and under ``torch.compile`` these are the plain PyTorch functions. CPU inference has better ones
than PyTorch chooses by itself: oneDNN's matrix product, which is also vectorised on processors for which MKL has no
kernels of its own (2.2 times as fast in float32 on an EPYC) and takes the bias and the GELU along; and attention as
two such products, which are 2.5 times as fast as the fused attention in bfloat16.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(x: Tensor, layer: nn.Module) -> Tensor:
    """``layer(x)``, of a linear layer or one of its quantised kinds."""
    if isinstance(layer, nn.Linear) and _onednn_takes(x):
        return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")
    return layer(x)


def linear_gelu(x: Tensor, layer: nn.Module) -> Tensor:
    """``gelu(layer(x))`` with the exact GELU."""
    if isinstance(layer, nn.Linear) and _onednn_takes(x):
        return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "gelu", [], "none")
    return F.gelu(layer(x))


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention of q [B, heads, M, d] over k and v [B, heads, N, d]; ``mask`` [M, N] true: seen."""
    if mask is None and q.dtype == torch.bfloat16 and _onednn_takes(q):
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        return scores.softmax(dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _onednn_takes(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")  # which does not reach into this kernel
        and not torch.compiler.is_compiling()
        and _onednn_computes(x.dtype)
    )


@functools.cache
def _onednn_computes(dtype: torch.dtype) -> bool:
    """Whether oneDNN's fused linear layer is in this PyTorch and right in this dtype on this processor."""
    if dtype not in (torch.float32, torch.bfloat16) or not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = (torch.linspace(-1.0, 1.0, 64, dtype=dtype).view(shape) for shape in ((8, 8), (8, 8), (64,)))
    try:
        # Not a documented function (torch.compile generates calls of it), so what it does is checked before use.
        found = torch.ops.mkldnn._linear_pointwise(x, weight, bias[:8], "gelu", [], "none")
    except (AttributeError, RuntimeError):
        return False
    expected = F.gelu(F.linear(x.float(), weight.float(), bias[:8].float()))
    return torch.allclose(found.float(), expected, atol=1e-5 if dtype == torch.float32 else 2e-2)
