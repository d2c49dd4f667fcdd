"""Reading and writing world-model weights: Meta's published checkpoints and our own safetensors files."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vjepa_mpc.worldmodel.vjepa.config import MODEL_CONFIGS, ModelConfig
from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.vjepa.weights import StateDict

PARTS = ("encoder", "predictor")
# Published training wraps the networks; the wrappers' names stay in the keys.
_WRAPPERS = re.compile(r"^(?:(?:module|backbone|_orig_mod)\.)+")
_CONFIG_KEY = "vjepa_mpc.config"
BUNDLED_MODEL = "franka_tiny.safetensors"


class CheckpointError(ValueError):
    """A file that cannot be used as a world model; the message says why and what to do."""


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
    """Load a published ``.pt`` checkpoint (any key prefix, stripped or not) or one of our ``.safetensors`` files.

    The file is memory-mapped and cast tensor by tensor, so what is not needed (optimizer state, the target encoder)
    is never read.

    Raises:
        CheckpointError: missing, truncated, of another architecture, or holding more than tensors.
    """
    config, encoder_state, predictor_state = read_checkpoint(path)
    try:
        return build_world_model(config, encoder_state, predictor_state, device, dtype)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_checkpoint(path: str | Path) -> tuple[ModelConfig, dict[str, Tensor], dict[str, Tensor]]:
    """Config, encoder and predictor weights (upstream key names, memory-mapped) of a checkpoint file."""
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"{file} is not a file: give the path of a .safetensors or of Meta's vjepa2-ac-vitg.pt")
    embedded, tensors = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    encoder, predictor = (_part(file, tensors, part) for part in PARTS)
    encoder.pop("pos_embed", None)  # in published files, and not used by models with rotary positions
    if embedded is None:
        return _infer_config(file, encoder, predictor), encoder, predictor
    try:
        return ModelConfig.from_dict(json.loads(embedded)), encoder, predictor
    except ValueError as error:
        raise CheckpointError(f"{file}: its embedded config is not usable: {error}") from error


def save_world_model(
    path: str | Path,
    config: ModelConfig | Mapping[str, Any],
    encoder_state: StateDict,
    predictor_state: StateDict,
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write both parts as one safetensors file with the config (and further ``metadata``) embedded."""
    settings = config if isinstance(config, ModelConfig) else ModelConfig.from_dict(config)
    tensors = {
        f"{part}.{key}": weight.detach().to("cpu", dtype).contiguous()
        for part, state in zip(PARTS, (encoder_state, predictor_state), strict=True)
        for key, weight in state.items()
    }
    header = {**(metadata or {}), _CONFIG_KEY: json.dumps(settings.to_dict())}
    file = Path(path)
    file.touch()  # with the permissions that new files get here; save_file replaces it by one of its owner's only
    permissions = file.stat().st_mode
    save_file(tensors, str(file), metadata=header)
    file.chmod(permissions)


def _read_safetensors(file: Path) -> tuple[str | None, dict[str, Tensor]]:
    try:
        with safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            keys = opened.keys()
            return metadata.get(_CONFIG_KEY), {key: opened.get_tensor(key) for key in keys}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size} bytes) is not a whole safetensors file ({error}): copy it again"
        ) from error


def _read_torch(file: Path) -> tuple[None, dict[str, Any]]:
    try:
        content = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file} holds more than tensors, and running code from a checkpoint is refused "
            f"({str(error).splitlines()[0]}): get the file from a source that you trust and save only its tensors"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size} bytes) is not a whole torch checkpoint "
            f"({str(error).splitlines()[0]}): download it again and compare its size"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, not a dictionary of weights")
    return None, dict(content)


def _part(file: Path, content: Mapping[str, Any], part: str) -> dict[str, Tensor]:
    """One network's weights, whether nested under its name or flat with its name as a prefix."""
    nested = content.get(part, content.get("target_encoder") if part == "encoder" else None)
    if not isinstance(nested, Mapping):
        flat = {_WRAPPERS.sub("", key): value for key, value in content.items()}
        nested = {key[len(part) + 1 :]: value for key, value in flat.items() if key.startswith(f"{part}.")}
    weights = {_WRAPPERS.sub("", key): value for key, value in nested.items() if isinstance(value, Tensor)}
    if not weights:
        raise CheckpointError(
            f"{file} has no {part} weights (its entries: {', '.join(list(content)[:6])}): an action-conditioned "
            "checkpoint such as vjepa2-ac-vitg.pt is needed, not a video encoder alone"
        )
    return weights


def _infer_config(file: Path, encoder: StateDict, predictor: StateDict) -> ModelConfig:
    """Match the weights' shapes with a published architecture (head counts cannot be read off the weights)."""
    try:
        found = (
            encoder["patch_embed.proj.weight"].shape[0],
            _depth(encoder, "blocks"),
            predictor["predictor_embed.weight"].shape[0],
            _depth(predictor, "predictor_blocks"),
        )
    except KeyError as error:
        raise CheckpointError(f"{file} is not a V-JEPA 2-AC checkpoint: it lacks {error}") from error
    for config in MODEL_CONFIGS.values():
        sizes = config.encoder, config.predictor
        if found == (sizes[0].embed_dim, sizes[0].depth, sizes[1].predictor_embed_dim, sizes[1].depth):
            return config
    raise CheckpointError(
        f"{file}: no known architecture has encoder width {found[0]} x {found[1]} layers and predictor width "
        f"{found[2]} x {found[3]} layers; save it with save_world_model, which embeds the config"
    )


def _depth(state: StateDict, blocks: str) -> int:
    return 1 + max((int(key.split(".")[1]) for key in state if key.startswith(f"{blocks}.")), default=-1)
