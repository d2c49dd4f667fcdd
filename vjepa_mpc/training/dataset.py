"""Episodes on disk, and random clips of them.

A data folder holds shards `shard_00000/` … with `images.npy` uint8 `[E, T, S, S, 3]`, `states.npy` float32 `[E, T, 7]`
(measured poses: metres, radians, closedness) and `blocks.npy` float32 `[E, T, 7]` (position, quaternion xyzw).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vjepa_mpc.files import WriteError
from vjepa_mpc.geometry.pose import FARTHEST, check_poses, pose_difference

FILES = ("images", "states", "blocks")
_PARTIAL = ".partial"


@dataclass(frozen=True, kw_only=True)
class Clips:
    """A batch of runs of `F` successive frames.

    Attributes:
        images: uint8 `[B, F, S, S, 3]`.
        states: float32 `[B, F, 7]` measured poses.
        actions: float32 `[B, F - 1, 7]` measured differences of successive poses.
        blocks: float32 `[B, F, 7]` block poses.
    """

    images: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    blocks: np.ndarray


def write_shard(folder: Path, images: np.ndarray, states: np.ndarray, blocks: np.ndarray) -> None:
    """Write one shard so that it is either complete or absent.

    Raises:
        WriteError: it could not be written.
    """
    partial = folder.with_name(folder.name + _PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, array in zip(FILES, (images, states, blocks), strict=True):
            np.save(partial / f"{name}.npy", array)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError as error:
        raise WriteError(
            f"{folder} could not be written ({error}): make room; the shards before it are kept"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def present_shards(folder: Path) -> list[int]:
    """Numbers of the complete shards in a data folder."""
    return sorted(int(path.name[6:]) for path in folder.glob("shard_*") if path.name[6:].isdigit() and path.is_dir())


def remove_partial(folder: Path) -> None:
    """Remove what processes that were ended have left unfinished."""
    for path in folder.glob(f"shard_*{_PARTIAL}"):
        shutil.rmtree(path, ignore_errors=True)


def shard_folder(folder: Path, index: int) -> Path:
    """Where shard `index` of the data folder lies."""
    return folder / f"shard_{index:05d}"


def measured_actions(states: np.ndarray) -> np.ndarray:
    """Actions float32 `[..., T - 1, 7]` between successive measured states `[..., T, 7]`."""
    tensor = torch.from_numpy(np.ascontiguousarray(states)).double()
    return pose_difference(tensor[..., :-1, :], tensor[..., 1:, :]).float().numpy()


class EpisodeDataset:
    """Random access to the clips of a set of episodes; images stay memory-mapped (and thus in the page cache)."""

    def __init__(self, images: list[np.ndarray], states: np.ndarray, blocks: np.ndarray) -> None:
        """`images` is a list of arrays `[E_i, T, S, S, 3]`; `states` and `blocks` are `[sum E_i, T, 7]`."""
        if not images or any(part.ndim != 5 or part.dtype != np.uint8 for part in images):
            raise ValueError("images must be uint8 arrays of shape [episodes, frames, size, size, 3]")
        counts = [len(part) for part in images]
        if sum(counts) != len(states) or states.shape != blocks.shape or states.shape[-1] != 7:
            raise ValueError(
                f"images of {sum(counts)} episodes do not fit states {states.shape} and blocks {blocks.shape}"
            )
        if not (np.isfinite(states).all() and np.isfinite(blocks).all()):
            raise ValueError("states or blocks are not finite: the data folder is damaged, generate it again")
        check_poses(states, "states")
        if np.abs(blocks[..., :3]).max() > FARTHEST:
            raise ValueError(
                f"blocks: a position of {np.abs(blocks[..., :3]).max():.4g}: give metres in the robot base frame"
            )
        self._images = images
        self._shard_of = np.repeat(np.arange(len(images)), counts)
        self._row_of = np.concatenate([np.arange(count) for count in counts])
        self.states = states.astype(np.float32)
        self.blocks = blocks.astype(np.float32)
        self.actions = measured_actions(self.states)

    @classmethod
    def open(cls, folder: str | Path, first: int = 0, count: int | None = None) -> EpisodeDataset:
        """Open shards `first … first + count - 1` of a data folder (all from `first` on when `count` is None).

        Raises:
            FileNotFoundError: a shard is missing.
            ValueError: a file is damaged, or the arrays do not fit each other.
        """
        folder = Path(folder)
        if count is None:
            count = len(present_shards(folder)) - first
        paths = [shard_folder(folder, index) for index in range(first, first + count)]
        missing = [path for path in paths if not path.is_dir()]
        if missing or not paths:
            raise FileNotFoundError(f"{missing[0] if missing else folder}: no such shard; generate the data first")
        images, states, blocks = zip(*map(_read_shard, paths), strict=True)
        for path, part, poses in zip(paths, images, states, strict=True):
            if part.shape[1:] != images[0].shape[1:]:
                raise ValueError(
                    f"{path}: images {list(part.shape)} differ from those of {paths[0].name}, {list(images[0].shape)}, "
                    "in more than the number of episodes"
                )
            check_poses(poses, f"{path}/states.npy")
        return cls(list(images), np.concatenate(states), np.concatenate(blocks))

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.states)

    @property
    def frames(self) -> int:
        """Frames of an episode."""
        return int(self.states.shape[1])

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return int(self._images[0].shape[2])

    def clips(self, episodes: np.ndarray, starts: np.ndarray, frames: int) -> Clips:
        """The clips that begin at frame `starts[i]` of episode `episodes[i]`."""
        images = np.stack(
            [
                self._images[self._shard_of[episode]][self._row_of[episode], start : start + frames]
                for episode, start in zip(episodes, starts, strict=True)
            ]
        )
        index = np.asarray(starts)[:, None] + np.arange(frames)
        rows = np.asarray(episodes)[:, None]
        return Clips(
            images=images,
            states=self.states[rows, index],
            actions=self.actions[rows, index[:, :-1]],
            blocks=self.blocks[rows, index],
        )

    def sample(self, rng: np.random.Generator, count: int, frames: int) -> Clips:
        """`count` clips of `frames` frames from different random episodes."""
        if frames > self.frames:
            raise ValueError(f"clips of {frames} frames do not fit episodes of {self.frames} frames")
        episodes = rng.choice(self.episodes, size=count, replace=count > self.episodes)
        return self.clips(episodes, rng.integers(0, self.frames - frames + 1, size=count), frames)


def _read_shard(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (memory-mapped), states and blocks of one shard."""
    images, states, blocks = (_read_array(folder / f"{name}.npy", mapped=name == "images") for name in FILES)
    episodes = images.shape[:2]
    wanted = ("uint8 [E, T, S, S, 3]", "real numbers [E, T, 7]", "real numbers [E, T, 7]")
    fits = (
        images.dtype == np.uint8 and images.ndim == 5 and images.shape[2] == images.shape[3] and images.shape[4] == 3,
        *(np.issubdtype(part.dtype, np.floating) and part.shape == (*episodes, 7) for part in (states, blocks)),
    )
    for name, array, expected, good in zip(FILES, (images, states, blocks), wanted, fits, strict=True):
        if not good:
            raise ValueError(f"{folder / name}.npy holds {array.dtype} {list(array.shape)}: expected {expected}")
    return images, states, blocks


def _read_array(file: Path, *, mapped: bool) -> np.ndarray:
    try:
        array: np.ndarray = np.load(file, mmap_mode="r" if mapped else None)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{file} is missing or damaged ({error}): copy it again, or remove its folder, which is made "
            "again if it is the simulator's"
        ) from error
    return array
