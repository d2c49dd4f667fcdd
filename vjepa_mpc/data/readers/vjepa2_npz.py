"""The npz files of upstream's notebook: ``observations [E, T, H, W, 3]`` and ``states [E, T, 7]``, without stamps."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vjepa_mpc.data.episode import Pictures, Recording
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.mapping import NO_GRIPPER, DataMapping
from vjepa_mpc.data.reader import Reader, Source
from vjepa_mpc.data.tracks import RawGripper, RawPoses

_PICTURES, _STATES = "observations", "states"
_FOUND = {
    **{"images": _PICTURES, "poses": _STATES, "gripper": _STATES, "rotation": "euler"},
    **{"gripper_open": 0.0, "gripper_closed": 1.0},
}
_RATE = 4.0  # frames a second that upstream samples


class VJEPA2NpzReader(Reader):
    """The trajectories of an npz file of the vjepa2 repository."""

    title = "vjepa2's npz (a file with observations and states)"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is an npz file with both arrays."""
        if path.suffix != ".npz" or not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return {f"{_PICTURES}.npy", f"{_STATES}.npy"} <= set(archive.namelist())

    def sources(self) -> Sequence[Source]:
        """One episode a row of the arrays.

        Raises:
            DataError: the arrays are of other shapes than they should be, or cannot be read.
        """
        pictures, states = _load(self.path)
        shapes = f"{_PICTURES} {pictures.dtype} {list(pictures.shape)} and {_STATES} {list(states.shape)}"
        usual = pictures.ndim == 5 and pictures.shape[-1] == 3 and pictures.dtype == np.uint8
        if not usual or states.shape != (*pictures.shape[:2], 7):
            raise DataError(f"{self.path} has {shapes}: expected uint8 [E, T, H, W, 3] and [E, T, 7]")
        return [
            Source(f"trajectory_{row}", partial(_open, self.path, row, states[row], self.mapping))
            for row in range(len(states))
        ]


class _Row(Pictures):
    """One trajectory's pictures; the file is read when they are asked for."""

    def __init__(self, path: Path, row: int, count: int) -> None:
        self._path, self._row, self._count = path, row, count

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        return iter(_load(self._path)[0][self._row][indices])


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[_PICTURES], arrays[_STATES].astype(np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error})") from error


def _open(path: Path, row: int, states: np.ndarray, mapping: DataMapping) -> Recording:
    stamps = np.arange(len(states)) / (mapping.fps or _RATE)
    said = () if mapping.fps else (f"it has no stamps: {_RATE:g} frames a second are assumed (`fps` in the mapping)",)
    return Recording(
        name=f"trajectory_{row}",
        stamps=stamps,
        pictures=_Row(path, row, len(states)),
        poses=RawPoses(stamps, states[:, :3], states[:, 3:6]),
        gripper=None if mapping.gripper == NO_GRIPPER else RawGripper(stamps, states[:, 6]),
        mapping=mapping.filled(**_FOUND),
        notes=said,
    )
