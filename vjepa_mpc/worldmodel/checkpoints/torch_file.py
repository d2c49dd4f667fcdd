"""What torch.save wrote: zip archives, and the form from before PyTorch 1.6, which cannot be memory-mapped."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.pickles import objects_in, rescue
from vjepa_mpc.worldmodel.checkpoints.source import Source

_NAMED = 4  # objects that a message lists
_BLOCK = 1 << 22  # bytes read at once


def read(path: Path) -> Source:
    """See :class:`~vjepa_mpc.worldmodel.checkpoints.source.Reader`."""
    return _source(path, mapped=True, form="a torch checkpoint")


def read_legacy(path: Path) -> Source:
    """See :class:`~vjepa_mpc.worldmodel.checkpoints.source.Reader`; everything is read into memory."""
    return _source(path, mapped=False, form="a torch checkpoint in the form from before PyTorch 1.6")


def require_undamaged(path: Path) -> None:
    """Compare what lies in a zip archive with its checksums, which torch does not do; reads the whole file.

    Raises:
        CheckpointError: a record is another one than was written.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if not record.CRC:  # written without checksums
                continue
            try:
                with archive.open(record) as opened:
                    while opened.read(_BLOCK):
                        pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f"{path} is damaged: {record.filename} in it does not match its checksum; download it again"
                ) from error


def _source(path: Path, mapped: bool, form: str) -> Source:
    try:
        if mapped and path.suffix != ".safetensors":
            content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        else:  # torch takes a path with that suffix for another format, and maps nothing but paths
            with path.open("rb") as opened:
                content = torch.load(opened, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_more_than_tensors(path)) from error
    except Exception as error:  # a damaged file fails anywhere inside torch
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is not a whole torch checkpoint: download it again and compare its "
            "size"
        ) from error
    if isinstance(content, torch.Tensor):
        raise CheckpointError(f"{path} holds a single tensor, not a dictionary of weights")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dictionary of weights")
    return Source(path=path, files=(path,), entries={str(key): value for key, value in content.items()}, form=form)


def _more_than_tensors(path: Path) -> str:
    objects = objects_in(path)
    if not objects:
        return (
            f"{path} ({path.stat().st_size} bytes) is not a whole torch checkpoint, or holds something that cannot be "
            "named: download it again and compare its size"
        )
    named = ", ".join(objects[:_NAMED]) + (f" and {len(objects) - _NAMED} more" if len(objects) > _NAMED else "")
    return (
        f"{path} holds more than tensors ({named}), and running code from a checkpoint is refused. If you trust who "
        f"made it, save its tensors where that code is installed, and use the new file:\n{rescue(path)}"
    )
