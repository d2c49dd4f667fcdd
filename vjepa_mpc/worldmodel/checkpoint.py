"""Loading models from any checkpoint, and saving our own files; the folder ``checkpoints`` reads the forms."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.loading import joined, open_encoder, open_model
from vjepa_mpc.worldmodel.checkpoints.opening import open_source
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.checkpoints.writing import save_model
from vjepa_mpc.worldmodel.vjepa.config import EncoderSetup, ModelConfig
from vjepa_mpc.worldmodel.vjepa.encoder import VideoEncoder
from vjepa_mpc.worldmodel.vjepa.frames import build_encoder
from vjepa_mpc.worldmodel.vjepa.weights import StateDict
from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel, build_world_model

BUNDLED_MODEL = "franka_tiny.safetensors"

logger = logging.getLogger(__name__)


def bundled_model_path() -> Path:
    """Where the small model that ships with this package lies: source tree, ROS share folder or Python prefix."""
    source = Path(__file__).resolve().parents[2]
    shares = [
        Path(prefix) / "share" / "vjepa_mpc" for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    ]
    candidates = [
        root / "resource" / "models" / BUNDLED_MODEL
        for root in (source, *shares, Path(sys.prefix) / "share" / "vjepa_mpc")
    ]
    for path in candidates:
        if path.is_file():
            return path
    raise CheckpointError(f"the bundled model {BUNDLED_MODEL} is in none of: {', '.join(map(str, candidates))}")


def load_world_model(
    path: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> VJEPAWorldModel:
    """Load a published action-conditioned checkpoint (any key prefix, stripped or not) or one of our own files.

    The file is memory-mapped and cast tensor by tensor, so what is not needed (optimizer state, the target encoder)
    is never read. ``~`` is the home folder. What the weights of others' files do not show is assumed as Meta published
    it, with a warning that says what; ``vjepa-mpc convert`` takes it from a config.

    Raises:
        CheckpointError: missing, truncated, of another architecture, holding more than tensors, or not finite.
    """
    config, encoder_state, predictor_state = read_checkpoint(path)
    try:
        return build_world_model(config, encoder_state, predictor_state, device, dtype)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def load_encoder(
    path: str | Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    told: Told = Told(),  # noqa: B008  # frozen
) -> VideoEncoder:
    """Load the video encoder of any checkpoint: V-JEPA 2 or 2.1, a file or a Hugging Face folder, ours or others'.

    Args:
        path: of a file or folder; ``~`` is the home folder.
        device: where it will live.
        dtype: of the weights.
        told: what the weights do not show and the checkpoint does not tell.

    Returns:
        A module: normalised clip [B, 3, T, H, W] -> tokens [B, N, D]; its ``config`` says what it is.

    Raises:
        CheckpointError: as for :func:`load_world_model`, or there is no encoder in it.
    """
    opened = open_encoder(open_source(path), told)
    _warn(path, opened.assumed)
    try:
        return build_encoder(opened.setup, opened.part.state, device, dtype)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_checkpoint(path: str | Path) -> tuple[ModelConfig, dict[str, Tensor], dict[str, Tensor]]:
    """Config, encoder and predictor weights (upstream key names, memory-mapped) of a checkpoint.

    Raises:
        CheckpointError: as for :func:`load_world_model`; the weights themselves are not checked.
    """
    source = open_source(path)
    encoder, predictor = open_model(source, source)
    _warn(path, (*encoder.assumed, *predictor.assumed))
    return joined(encoder, predictor), encoder.part.state, predictor.part.state


def save_world_model(
    path: str | Path,
    config: ModelConfig | Mapping[str, Any],
    encoder_state: StateDict,
    predictor_state: StateDict,
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write both parts as one safetensors file with the config (and further ``metadata``) embedded.

    The layers that read actions and poses are written in float32 whatever ``dtype`` is.

    Raises:
        CheckpointError: a weight is too large for ``dtype``.
        WriteError: the file could not be written; nothing of it is left, and one that was there is as it was.
    """
    settings = config if isinstance(config, ModelConfig) else ModelConfig.from_dict(config)
    save_model(Path(path), settings, {"encoder": encoder_state, "predictor": predictor_state}, dtype, metadata or {})


def save_encoder(
    path: str | Path,
    config: EncoderSetup | Mapping[str, Any],
    state: StateDict,
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an encoder alone, for post-training. Errors as for :func:`save_world_model`."""
    settings = config if isinstance(config, EncoderSetup) else EncoderSetup.from_dict(config)
    save_model(Path(path), settings, {"encoder": state}, dtype, metadata or {})


def _warn(path: str | Path, assumed: tuple[str, ...]) -> None:
    if assumed:
        logger.warning("%s: its weights do not show, so this is assumed: %s", path, ", ".join(assumed))
