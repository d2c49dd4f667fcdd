"""What readers give: the entries of a checkpoint and what it says about itself, whatever form it has on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vjepa_mpc.worldmodel.checkpoints.told import Told


@dataclass(frozen=True, kw_only=True)
class Source:
    """A checkpoint that was opened; its tensors are memory-mapped.

    Attributes:
        path: that was given.
        files: the files that hold its weights.
        entries: by name: tensors, mappings of tensors, and whatever else was saved.
        form: what it is, in words.
        config: the architecture as :meth:`ModelConfig.to_dict` wrote it; None unless we wrote the file.
        told: what its own description tells about the architecture.
        header: further texts by name, such as where its weights come from.
    """

    path: Path
    files: tuple[Path, ...]
    entries: Mapping[str, Any]
    form: str
    config: Mapping[str, Any] | None = None
    told: Told = field(default_factory=Told)
    header: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """Opens checkpoints of one form."""

    def __call__(self, path: Path) -> Source:
        """Open a checkpoint.

        Raises:
            CheckpointError: it is not whole, or holds more than tensors.
        """
        ...
