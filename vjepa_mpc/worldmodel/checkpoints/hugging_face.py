"""Folders as Hugging Face transformers saves them: config.json and weights, whole or in shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vjepa_mpc.worldmodel.checkpoints import safetensors_file, torch_file
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.kinds import kind_of
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.checkpoints.told import Told

CONFIG_FILE = "config.json"
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_LAYER_NORM_EPS = 1e-6


def read(path: Path) -> Source:
    """See :class:`~vjepa_mpc.worldmodel.checkpoints.source.Reader`."""
    files = _weight_files(path)
    config = path / CONFIG_FILE
    if len(files) == 1 and not config.is_file() and (own := _read_weights(files[0])).config is not None:
        return own  # as post-training leaves it in its folder
    if not config.is_file():
        raise CheckpointError(
            f"{path} has {files[0].name} and no {CONFIG_FILE}, which tells what the weights do not: copy it, too"
        )
    told = read_config(config)
    entries: dict[str, Any] = {}
    for file in files:
        entries |= _read_weights(file).entries
    return Source(
        path=path,
        files=tuple(files),
        entries=entries,
        form=f"a Hugging Face folder with {len(files)} file{'s' * (len(files) > 1)} of weights",
        told=told,
    )


def read_config(file: Path) -> Told:
    """What the config.json of a V-JEPA 2 model tells.

    Raises:
        CheckpointError: it is of another model, or of a variant that this package does not compute.
    """
    config = _json(file)
    kind = config.get("model_type")
    if kind != "vjepa2":
        raise CheckpointError(f"{file} describes a model of type {kind!r}: a folder of a vjepa2 model is needed")
    differing = [
        f"{name}={config[name]!r} instead of {usual!r}"
        for name, usual in (("qkv_bias", True), ("in_chans", 3), ("layer_norm_eps", _LAYER_NORM_EPS))
        if config.get(name, usual) != usual
    ]
    if differing:
        raise CheckpointError(
            f"{file}: {', '.join(differing)}: no published V-JEPA 2 model has that, nor is it computed"
        )
    try:
        return Told(
            img_size=int(config["crop_size"] if "crop_size" in config else config["image_size"]),
            encoder_heads=int(config["num_attention_heads"]),
            encoder_size=(int(config["hidden_size"]), int(config["num_hidden_layers"])),
            patch_size=int(config.get("patch_size", 16)),
            tubelet_size=int(config.get("tubelet_size", 2)),
            activation=str(config.get("hidden_act", "gelu")),
            rope=True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} is incomplete: it needs crop_size, hidden_size, num_hidden_layers and "
            "num_attention_heads as numbers"
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    for name in _WHOLE:
        if (folder / name).is_file():
            return [folder / name]
    for name in _INDICES:
        if (folder / name).is_file():
            return _shards(folder / name)
    if any(folder.glob("*.distcp")):
        raise CheckpointError(
            f"{folder} is a distributed checkpoint of torch: make one file of it with `python -m "
            "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE.pt`"
        )
    found = sorted(entry.name for entry in folder.iterdir())[:6]
    raise CheckpointError(
        f"{folder} is a folder without a model: it has {', '.join(found) if found else 'nothing in it'}. Give a "
        f"file, or a Hugging Face folder with {CONFIG_FILE} and {_WHOLE[0]}"
    )


def _shards(index: Path) -> list[Path]:
    weight_map = _json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} has no weight_map that names the shards: copy it again")
    names = sorted({str(name) for name in weight_map.values()})
    if any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index} names shards outside of its folder: copy it again")
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise CheckpointError(
            f"{index.parent} lacks {len(absent)} of {len(names)} shards ({', '.join(absent[:4])}): copy them, too"
        )
    return [index.parent / name for name in names]


def _read_weights(file: Path) -> Source:
    kind = kind_of(file)
    if kind == "safetensors":
        return safetensors_file.read(file)
    return torch_file.read(file) if kind == "torch" else torch_file.read_legacy(file)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read as JSON: copy it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, not a JSON object: copy it again")
    return content
