"""Safetensors: our own files with their config, and anybody else's."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.source import Source

CONFIG_KEY = "vjepa_mpc.config"


def read(path: Path) -> Source:
    """See :class:`~vjepa_mpc.worldmodel.checkpoints.source.Reader`."""
    try:
        with safe_open(str(path), framework="pt") as opened:
            header = dict(opened.metadata() or {})
            entries = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118  # not a dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_not_whole(path)) from error
    if header.get("format") == "mlx":
        raise CheckpointError(
            f"{path} was written by MLX, whose layers are laid out in another way: get the PyTorch checkpoint that it "
            "was made from"
        )
    embedded = header.pop(CONFIG_KEY, None)
    texts = {name: value for name, value in header.items() if name != "format"}
    form = "a safetensors file" if embedded is None else "a model file of vjepa_mpc"
    return Source(path=path, files=(path,), entries=entries, form=form, config=_parsed(path, embedded), header=texts)


def _parsed(path: Path, embedded: str | None) -> dict[str, Any] | None:
    try:
        config = None if embedded is None else json.loads(embedded)
    except ValueError as error:
        raise CheckpointError(f"{path}: its embedded config is not usable: {error}") from error
    if config is not None and not isinstance(config, dict):
        raise CheckpointError(f"{path}: its embedded config is not usable: it is a {type(config).__name__}")
    return config


def _not_whole(path: Path) -> str:
    """How much is missing, if the header can be read; the library's own words may quote the file."""
    size = path.stat().st_size
    try:
        with path.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(length))
        end = 8 + length + max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, OSError):
        return f"{path} ({size} bytes) is not a whole safetensors file: its header cannot be read; copy it again"
    if end > size:
        return f"{path} is not a whole safetensors file: {size} of its {end} bytes are there; copy it again"
    return f"{path} ({size} bytes) is not a whole safetensors file: its header does not fit what follows; copy it again"
