"""Converting recordings: read in any format, written in one that others read, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from vjepa_mpc.data.dataset import Dataset
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.writers import WRITERS
from vjepa_mpc.files import WriteError


def convert(dataset: Dataset, folder: Path, format: str, fps: float | None = None) -> int:
    """Write all episodes into a new folder, which appears only when it is complete.

    Args:
        dataset: what to write.
        folder: to make.
        format: name of a writer.
        fps: of formats with a fixed rate; None: that of the first episode, rounded.

    Returns:
        the number of episodes.

    Raises:
        DataError: the folder exists, or an episode cannot be read or does not fit.
        WriteError: the disk is full, or the folder cannot be made.
    """
    if folder.exists():
        raise DataError(f"{folder} exists: choose a new folder; nothing is overwritten")
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        raise DataError(f"{part} is left over from a conversion that was cut off: remove it and start again")
    writer = WRITERS.part(format)(part, fps or usual_rate(dataset))
    try:
        for episode in dataset:
            writer.write(episode)
        writer.close()
        part.rename(folder)
    except BaseException as error:
        writer.abandon()
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError):
            raise WriteError(f"{folder} could not be written ({error}): make room; nothing of it is left") from error
        raise
    return len(dataset)


def usual_rate(dataset: Dataset) -> float:
    """Pictures a second of the first episode: a whole number if it is near one."""
    rate = 1.0 / float(np.median(np.diff(dataset[0].stamps)))
    return float(round(rate)) if abs(rate - round(rate)) < 0.03 * rate and round(rate) else round(rate, 3)
