"""Pictures to learn decoding from, with their latents: of the simulator, or of recordings; some are held out."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.data import DataError, Dataset, Episode
from vjepa_mpc.files import replacing
from vjepa_mpc.training.dataset import EpisodeDataset
from vjepa_mpc.worldmodel import Crop, WorldModel
from vjepa_mpc.worldmodel.preprocess import crop_box

HELD_OUT = 0.1  # of the episodes of recordings, at their end
_AT_ONCE = 64  # pictures that are encoded together

Batches = Iterator[np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Pictures with their latents.

    Attributes:
        latents: [K, N, D] float16, on the CPU.
        pictures: uint8 RGB [K, side, side, 3], cut and sized as the model sees them.
    """

    latents: Tensor
    pictures: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
        """Latents [B, N, D] float32 and colours [B, 3, side, side] from 0 to 1."""
        colours = torch.from_numpy(self.pictures[indices]).to(device).permute(0, 3, 1, 2).float() / 255.0
        return self.latents[torch.from_numpy(indices)].to(device).float(), colours


def encode_frames(model: WorldModel, batches: Batches, side: int, crop: Crop) -> Frames:
    """Pictures and their latents.

    Args:
        model: encodes.
        batches: of pictures, uint8 RGB [B, H, W, 3].
        side: of the pictures that are kept, in pixels.
        crop: how pictures are cut.
    """
    latents, pictures = [], []
    for images in batches:
        latents.append(model.encode(images, crop).to("cpu", torch.float16))
        pictures.append(np.stack([_cut(image, side, crop) for image in images]))
    return Frames(latents=torch.cat(latents), pictures=np.concatenate(pictures))


def kept_frames(file: Path, made_with: Mapping[str, Any], make: Callable[[], Frames]) -> Frames:
    """Frames from a file that an earlier run of the same kind has left; made and written there if there is none.

    Args:
        file: to look for, and to write.
        made_with: plain values that tell what the frames are of.
        make: encodes them.

    Raises:
        WriteError: the file could not be written.
    """
    try:
        kept = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        if kept["made_with"] == dict(made_with):
            return Frames(latents=kept["latents"], pictures=kept["pictures"].numpy())
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError):
        pass  # none, or one that is of no use: it is made again
    frames = make()
    with replacing(file, RuntimeError) as partial:
        pictures = torch.from_numpy(frames.pictures)
        torch.save({"made_with": dict(made_with), "latents": frames.latents, "pictures": pictures}, partial)
    return frames


def simulated(folder: Path, first: int, shards: int, most: int, seed: int) -> Batches:
    """Random pictures of the simulator's episodes.

    Args:
        folder: of the data.
        first: number of the first shard.
        shards: how many.
        most: pictures.
        seed: of the choice.
    """
    data = EpisodeDataset.open(folder, first, shards)
    chosen = np.random.default_rng(seed).permutation(data.episodes * data.frames)[:most]
    for part in _parts(chosen):
        yield data.clips(part // data.frames, part % data.frames, 1).images[:, 0]


def recorded(spans: Sequence[Span], most: int) -> Batches:
    """Pictures of recordings, evenly in time.

    Args:
        spans: where from.
        most: pictures, of all together.

    Raises:
        DataError: a picture cannot be read.
    """
    each = max(1, most // len(spans))
    for span in spans:
        for part in _parts(np.linspace(span.first, span.last, min(each, span.pictures))):
            yield span.episode.images(part)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of an episode, by stamps in seconds."""

    episode: Episode
    first: float
    last: float

    @property
    def pictures(self) -> int:
        """How many lie in it."""
        return int(((self.episode.stamps >= self.first) & (self.episode.stamps <= self.last)).sum())


def split(dataset: Dataset) -> tuple[list[Span], list[Span]]:
    """What is learned from and what is held out: the last episodes, or the end of an only one.

    Raises:
        DataError: there is too little to hold anything out.
    """
    if len(dataset) > 1:
        count = max(1, round(HELD_OUT * len(dataset)))
        whole = [Span(episode=each, first=each.stamps[0], last=each.stamps[-1]) for each in dataset]
        return whole[:-count], whole[-count:]
    (only,) = dataset
    cut = int((1.0 - HELD_OUT) * len(only))
    if cut < 1 or cut >= len(only) - 1:
        raise DataError(f"{dataset.path} has {len(only)} pictures: that is too few to learn from and to hold some out")
    stamps = only.stamps
    return (
        [Span(episode=only, first=stamps[0], last=stamps[cut - 1])],
        [Span(episode=only, first=stamps[cut], last=stamps[-1])],
    )


def _parts(chosen: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(chosen), _AT_ONCE):
        yield chosen[start : start + _AT_ONCE]


def _cut(image: np.ndarray, side: int, crop: Crop) -> np.ndarray:
    top, left, height, width = crop_box(image.shape[0], image.shape[1], crop)
    cut = image[top : top + height, left : left + width]
    return cut if cut.shape[:2] == (side, side) else cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
