"""The interface of a writer: one class a format, one file a class, in :mod:`vjepa_mpc.data.writers`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vjepa_mpc.data.episode import Episode

_BATCH = 64


class Writer(ABC):
    """Writes episodes into a new folder, one after the other.

    Args:
        folder: to make; does not exist.
        fps: pictures a second, for formats with a fixed rate.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        self.folder, self.fps = folder, fps

    @abstractmethod
    def write(self, episode: Episode) -> None:
        """Append an episode.

        Raises:
            DataError: it cannot be read, or does not fit to those before.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish all files."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of all files after an error; what they hold will be removed."""


def pictures_of(episode: Episode, stamps: np.ndarray) -> Iterator[np.ndarray]:
    """The pictures uint8 [H, W, 3] at the stamps [K], read in parts."""
    for start in range(0, len(stamps), _BATCH):
        yield from episode.images(stamps[start : start + _BATCH])
