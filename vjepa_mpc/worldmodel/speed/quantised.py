"""Rollouts in eight bits: int8, and fp8 (e4m3) on GPUs that multiply in it.

Only the linear layers of the predictor's blocks are replaced, which take nearly all of a plan's time; latents, poses,
attention and normalisation keep the model's dtype. Weights are rounded once, with a scale for each output channel;
activations at each call, with a scale for each token (on a CPU for all of them). Whether a model bears this is asked by
:func:`~vjepa_mpc.planning.agreement.measure_agreement`.
"""

from __future__ import annotations

import copy
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel

QUANTISATIONS = ("int8", "fp8")

_INT8_LIMIT = 127.0
_FP8_LIMIT = torch.finfo(torch.float8_e4m3fn).max
_LEAST_ROWS = 32  # of an int8 product on a GPU, which refuses up to 16 rows
# What a GPU's products of such matrices ask for: a compute capability, and sizes that are multiples of a number.
_CAPABILITIES = {"int8": ((7, 5), "Turing"), "fp8": ((8, 9), "Ada, Hopper, Blackwell")}
_MULTIPLES = {"int8": 8, "fp8": 16}
_PACKS_INT8 = hasattr(torch, "quantize_per_channel")  # which PyTorch is going to lose


class UnsupportedPrecisionError(ValueError):
    """The device cannot compute in the precision; the message says what can."""


def quantise(model: VJEPAWorldModel, precision: str) -> VJEPAWorldModel:
    """The same world model with its rollouts in ``int8`` or ``fp8``; the encoder is shared, the model stays as it is.

    Raises:
        UnsupportedPrecisionError: the model's device cannot compute in it, or not with layers of the model's sizes.
        ValueError: another precision.
    """
    if precision not in QUANTISATIONS:
        raise ValueError(f"precision={precision!r}: choose one of {', '.join(QUANTISATIONS)}")
    _check_device(model.device, precision)
    if precision == "fp8":
        make: type[nn.Module] = Float8Linear
    else:
        make = CPUInt8Linear if model.device.type == "cpu" and _PACKS_INT8 else Int8Linear
    predictor = copy.deepcopy(model.predictor)
    for block in predictor.blocks:
        for part, name in ((block.attn, "qkv"), (block.attn, "proj"), (block.mlp, "fc1"), (block.mlp, "fc2")):
            exact = getattr(part, name)
            _check_sizes(exact, model.device, precision)
            rounded = make(exact)
            if block is predictor.blocks[0]:
                _try(rounded, exact.weight, precision)
            setattr(part, name, rounded)
    return VJEPAWorldModel(model.config, model.encoder, predictor)


class Int8Linear(nn.Module):
    """A linear layer as a product of int8 matrices, summed in int32."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, scale = _scaled(layer.weight, _INT8_LIMIT)
        self.register_buffer("weight", weight.round().to(torch.int8))
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", layer.bias.float())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        rows, scale = _scaled(x.flatten(0, -2), _INT8_LIMIT)
        rounded = rows.round().to(torch.int8)
        if len(rows) < _LEAST_ROWS:
            rounded = F.pad(rounded, (0, 0, 0, _LEAST_ROWS - len(rows)))
        product = torch._int_mm(rounded, self.weight.t())
        result = torch.addcmul(self.bias, product[: len(rows)] * scale, self.scale)
        return result.to(x.dtype).unflatten(0, x.shape[:-1])


class CPUInt8Linear(nn.Module):
    """The same by PyTorch's own dynamically quantised layer, which CPUs with VNNI are fast at."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, scale = _scaled(layer.weight, _INT8_LIMIT)
        zero = torch.zeros(len(scale), dtype=torch.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that such tensors will go; `quantise` then takes the other layer
            rounded = torch.quantize_per_channel(weight * scale, scale[:, 0].double(), zero, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(rounded, layer.bias.float())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        # Reduced range: without VNNI the sums of products of all eight bits could overflow.
        return torch.ops.quantized.linear_dynamic(x.float(), self._packed, reduce_range=True).to(x.dtype)


class Float8Linear(nn.Module):
    """A linear layer as a product of fp8 (e4m3) matrices, summed in float32."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, scale = _scaled(layer.weight, _FP8_LIMIT)
        self.register_buffer("weight", weight.to(torch.float8_e4m3fn))
        self.register_buffer("scale", scale.t().contiguous())
        self.register_buffer("bias", layer.bias.to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        rows, scale = _scaled(x.flatten(0, -2), _FP8_LIMIT)
        result = torch._scaled_mm(
            rows.to(torch.float8_e4m3fn),
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale,
            bias=self.bias,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
        return result.to(x.dtype).unflatten(0, x.shape[:-1])


def _scaled(rows: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Rows [M, K] in float32 stretched so that each one's largest entry is the limit, and what undoes that [M, 1]."""
    exact = rows.float()
    scale = exact.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny * limit) / limit
    return exact / scale, scale


def _check_device(device: torch.device, precision: str) -> None:
    if precision == "int8" and device.type == "cpu":
        return
    least, names = _CAPABILITIES[precision]
    if device.type != "cuda":
        found = str(device)
    elif (capability := torch.cuda.get_device_capability(device)) < least:
        found = f"{device} of {'.'.join(map(str, capability))}"
    else:
        return
    raise UnsupportedPrecisionError(
        f"{precision} needs an NVIDIA GPU of compute capability {'.'.join(map(str, least))} or newer ({names}), and "
        f"the model is on {found}"
    )


def _check_sizes(layer: nn.Linear, device: torch.device, precision: str) -> None:
    multiple = _MULTIPLES[precision]
    if device.type == "cuda" and (layer.in_features % multiple or layer.out_features % multiple):
        raise UnsupportedPrecisionError(
            f"{precision} on a GPU needs layers of multiples of {multiple} features, and the predictor has one from "
            f"{layer.in_features} to {layer.out_features}"
        )


@torch.no_grad()
def _try(layer: nn.Module, x: Tensor, precision: str) -> None:
    """Compute once: which GPUs and kernels an operator serves differs between versions of PyTorch."""
    try:
        layer(x)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UnsupportedPrecisionError(
            f"PyTorch {torch.__version__} cannot compute in {precision}: {reason}"
        ) from error
