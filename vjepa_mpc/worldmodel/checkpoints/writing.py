"""Safetensors files of ours: whole or not there at all, with config and provenance in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vjepa_mpc.files import replacing
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.safetensors_file import CONFIG_KEY
from vjepa_mpc.worldmodel.vjepa.config import EncoderSetup
from vjepa_mpc.worldmodel.vjepa.predictor import EXACT_LAYERS
from vjepa_mpc.worldmodel.vjepa.weights import StateDict, not_finite


def save_model(
    path: Path,
    config: EncoderSetup,
    parts: Mapping[str, StateDict],
    dtype: torch.dtype,
    metadata: Mapping[str, str],
) -> None:
    """Write parts, named ``encoder`` and ``predictor``; what reads actions and poses stays float32.

    Raises:
        CheckpointError: a weight is too large for ``dtype``.
        WriteError: the file could not be written; nothing of it is left, and one that was there is as it was.
    """
    tensors: dict[str, Tensor] = {}
    for part, state in parts.items():
        for key, weight in state.items():
            exact = part == "predictor" and key.startswith(EXACT_LAYERS)
            rounded = weight.detach().to("cpu", torch.float32 if exact else dtype).contiguous()
            if not_finite({key: rounded}) and not not_finite({key: weight}):
                raise CheckpointError(
                    f"{path} is not written: {part}.{key} has weights up to {float(weight.abs().max()):.3g}, which "
                    f"{str(dtype).removeprefix('torch.')} cannot hold; use bfloat16 or float32"
                )
            tensors[f"{part}.{key}"] = rounded
    _write(path, tensors, {**metadata, CONFIG_KEY: json.dumps(config.to_dict())})


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    with replacing(path, SafetensorError) as partial:
        partial.touch()  # with the permissions that new files get here; save_file's are its owner's only
        permissions = partial.stat().st_mode
        save_file(tensors, str(partial), metadata=header)
        partial.chmod(permissions)
