"""Latents on disk: every frame is encoded once, and a run that was interrupted goes on where it was.

One pair of files an episode: ``NAME-HASH.latents.npy`` [K, N, D] and ``NAME-HASH.poses.npz`` (stamps, states). The
latents get their name last, so that what has it is whole. ``cache.json`` says what they were made with.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vjepa_mpc.files import write_text
from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.training.post_training.latents.clips import EncodedEpisode

_KEY_FILE = "cache.json"


class LatentCache:
    """A folder of encoded episodes.

    Args:
        folder: is made where it is absent.
        key: what the latents depend on beside the recordings (encoder, crop, seconds a step ...).
        shape: (N, D), tokens of a frame and features of a token.
        dtype: "float16" or "float32".

    Raises:
        PostTrainingError: the folder holds latents of another key, or the file that tells the key is damaged.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], shape: tuple[int, int], dtype: str) -> None:
        self.folder, self.shape, self.dtype = folder, shape, np.dtype(dtype)
        folder.mkdir(parents=True, exist_ok=True)
        self._key = {**key, "shape": list(shape), "dtype": dtype}
        self._check_key()

    def sign(self) -> None:
        """Write down what the latents depend on, before there are any; one process only."""
        if not (self.folder / _KEY_FILE).is_file():
            write_text(self.folder / _KEY_FILE, json.dumps(self._key, indent=1))

    def bytes(self, frames: int) -> int:
        """Room that frames take on disk."""
        return frames * self.shape[0] * self.shape[1] * self.dtype.itemsize

    def require_room(self, needed: int) -> None:
        """Look before a long job whether the disk has room for that many more bytes.

        Raises:
            PostTrainingError: it has not.
        """
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise PostTrainingError(
                f"{self.folder} has {free / 1e9:.2f} GB free, and the latents take {needed / 1e9:.2f} GB more: make "
                "room, give --cache a folder on another disk, or use larger steps (--seconds-a-step)"
            )

    def find(self, name: str, stamps: np.ndarray) -> EncodedEpisode | None:
        """The episode, if it was encoded whole and at these stamps."""
        latents, poses = self._files(name)
        if not latents.is_file() or not poses.is_file():
            return None
        with np.load(poses) as saved:
            found = EncodedEpisode(name, latents, saved["stamps"], saved["states"])
        return found if np.array_equal(found.stamps, stamps) else None

    def write(self, name: str, stamps: np.ndarray, states: np.ndarray, latents: Iterable[np.ndarray]) -> EncodedEpisode:
        """Write an episode, its latents [k, N, D] part by part.

        Raises:
            PostTrainingError: the disk is full. Episodes that were written before stay usable.
        """
        final, poses = self._files(name)
        partial = final.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                self._write_latents(file, len(stamps), latents)
            final.unlink(missing_ok=True)  # of other stamps: it must not be found beside these
            with poses.open("wb") as file:
                np.savez(file, stamps=stamps, states=states)
            partial.replace(final)
        except OSError as error:
            partial.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise PostTrainingError(
                f"{self.folder}: no room for the latents of {name} ({error.strerror}). What was encoded before is "
                "kept: make room and run the same command again, or move the folder and give it as --cache"
            ) from error
        return EncodedEpisode(name, final, stamps, states)

    def _write_latents(self, file: BinaryIO, frames: int, latents: Iterable[np.ndarray]) -> None:
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (frames, *self.shape)})
        # Appended, not written through a memory map: a full disk is an error here, and a killed process there.
        for part in latents:
            file.write(np.ascontiguousarray(part, self.dtype).tobytes())

    def _files(self, name: str) -> tuple[Path, Path]:
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[-60:].strip(".")
        stem = f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        return self.folder / f"{stem}.latents.npy", self.folder / f"{stem}.poses.npz"

    def _check_key(self) -> None:
        file, key = self.folder / _KEY_FILE, self._key
        if not file.is_file():
            return
        try:
            found = dict(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise PostTrainingError(
                f"{file} is damaged ({error}): give another --cache, or delete the folder"
            ) from error
        differing = [name for name, value in key.items() if found.get(name) != value]
        if differing:
            details = "; ".join(f"{name} was {found.get(name)!r}, now {key[name]!r}" for name in differing)
            raise PostTrainingError(
                f"{self.folder} holds latents of other settings ({details}): give another --cache, or delete the folder"
            )
