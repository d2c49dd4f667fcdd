"""One demonstration, whatever it was recorded as: pictures at equal steps of time, and the gripper where known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vjepa_mpc.data import DataError, DataMapping, Episode, open_dataset
from vjepa_mpc.data.dataset import recognise
from vjepa_mpc.data.errors import listed
from vjepa_mpc.data.tracks import nearest
from vjepa_mpc.data.videos.reading import Video

VIDEOS = (".mp4", ".m4v", ".mkv", ".mov", ".avi", ".webm")
RATE = 5.0  # pictures a second that are looked at, if nothing else is said
MOST_PICTURES = 1200  # that are looked at; of a longer demonstration fewer a second
_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstration:
    """What was recorded.

    Attributes:
        name: of it.
        stamps: float64 [T] seconds from its beginning, ascending: when pictures are looked at.
        closedness: float64 [T] of the gripper, 0 open to 1 closed; None where nobody recorded it.
        positions: float64 [T, 3] of the hand in metres; None where nobody recorded it.
    """

    name: str
    stamps: np.ndarray
    closedness: np.ndarray | None
    positions: np.ndarray | None
    _source: Episode | Video

    def pictures(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Pictures uint8 RGB [H, W, 3] at these ascending indices of the stamps, some at once.

        Raises:
            DataError: one cannot be read.
        """
        for start in range(0, len(indices), _AT_ONCE):
            stamps = self.stamps[indices[start : start + _AT_ONCE]]
            if isinstance(self._source, Episode):
                yield from self._source.images(stamps + self._source.stamps[0])
            else:
                yield from _of_video(self._source, stamps)


def open_demonstration(
    path: Path, *, rate: float = RATE, episode: str | None = None, mapping: Path | DataMapping | None = None
) -> Demonstration:
    """Open a video, or an episode of a bag or a dataset.

    Args:
        path: of it.
        rate: pictures a second to look at.
        episode: which one; None for the first.
        mapping: what is where in a dataset.

    Raises:
        DataError: it cannot be read, there is no such episode, or it has too few pictures.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist: give a video, a bag or a dataset")
    if path.is_file() and (path.suffix.lower() in VIDEOS or _is_unknown(path)):
        if episode is not None or mapping is not None:
            raise DataError(f"{path} is a video: it has neither episodes nor a mapping")
        return _video(path, rate)
    dataset = open_dataset(path, mapping)
    episodes = {each.name: each for each in dataset}
    chosen = episodes.get(episode or next(iter(episodes)))
    if chosen is None:
        raise DataError(f"{path} has no episode {episode}: it has {listed(episodes)}")
    stamps = _grid(chosen.stamps[-1] - chosen.stamps[0], rate, chosen.name)
    states = chosen.states(np.minimum(stamps + chosen.stamps[0], chosen.stamps[-1]))
    known = chosen.recording.gripper is not None
    return Demonstration(
        name=chosen.name,
        stamps=stamps,
        closedness=states[:, 6] if known else None,
        positions=states[:, :3],
        _source=chosen,
    )


def _video(path: Path, rate: float) -> Demonstration:
    video = Video(path)
    if len(video.times) < 2:
        raise DataError(f"the video {path} has {len(video.times)} picture(s): that is no demonstration")
    stamps = _grid(video.times[-1] - video.times[0], rate, path.name)
    return Demonstration(name=path.stem, stamps=stamps, closedness=None, positions=None, _source=video)


def _of_video(video: Video, stamps: np.ndarray) -> Iterator[np.ndarray]:
    """The nearest picture of each stamp."""
    indices = nearest(video.times, stamps + video.times[0])
    distinct, counts = np.unique(indices, return_counts=True)
    for picture, count in zip(video.read(distinct.tolist()), counts, strict=True):
        for _ in range(count):
            yield picture


def _grid(seconds: float, rate: float, name: str) -> np.ndarray:
    count = int(seconds * rate) + 1
    if count < 3:
        raise DataError(f"{name} lasts {seconds:.2f} s: that is too short to find sub-goals in")
    return np.linspace(0.0, seconds, min(count, MOST_PICTURES))


def _is_unknown(path: Path) -> bool:
    """Whether no reader of datasets knows a file; a video may have any name."""
    try:
        recognise(path)
    except DataError:
        return True
    return False
