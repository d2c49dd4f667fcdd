"""Any checkpoint, opened by the reader of its form."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vjepa_mpc.files import expanded
from vjepa_mpc.worldmodel.checkpoints import hugging_face, safetensors_file, torch_file
from vjepa_mpc.worldmodel.checkpoints.kinds import Kind, kind_of
from vjepa_mpc.worldmodel.checkpoints.source import Reader, Source

# A further form is a file in this folder and a line here.
READERS: dict[Kind, Reader] = {
    "folder": hugging_face.read,
    "safetensors": safetensors_file.read,
    "torch": torch_file.read,
    "legacy torch": torch_file.read_legacy,
}


def open_source(path: str | Path) -> Source:
    """Open a checkpoint of any form; tensors are memory-mapped where the form allows it.

    Raises:
        CheckpointError: it is none, not whole, or holds more than tensors.
    """
    file = expanded(path)
    source = READERS[kind_of(file)](file)
    beside = file.parent / hugging_face.CONFIG_FILE
    named_by_transformers = any(key.endswith(".patch_embeddings.proj.weight") for key in source.entries)
    if named_by_transformers and not file.is_dir() and beside.is_file():
        return dataclasses.replace(source, told=hugging_face.read_config(beside))
    return source
