"""Videos read picture by picture with PyAV, which decodes AV1 as well as H.264 and MPEG-4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.episode import Pictures
from vjepa_mpc.data.errors import DataError, needs
from vjepa_mpc.data.tracks import nearest


class Video:
    """A video file. Only the times of its pictures are kept, once they are needed.

    Raises:
        DataError: it is missing, or no video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        container = self._open()
        with container:
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate) if stream.average_rate else None
            self._time_base = float(stream.time_base)
            self._declared = int(stream.frames) if _has_its_end(container, stream) else 0

    def __len__(self) -> int:
        """Pictures, as the file's head says; counted where it does not, and in a file that is cut short."""
        return self._declared or len(self.times)

    @property
    def times(self) -> np.ndarray:
        """When each picture is shown, by the file: float64 [N] seconds."""
        return self._index[0] * self._time_base

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Presentation stamps of all pictures, and of those that decoding can begin at; nothing is decoded for it."""
        av = needs("av")
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                packets = [
                    (packet.pts, packet.is_keyframe)
                    for packet in container.demux(stream)
                    if packet.pts is not None and not packet.is_corrupt
                ]
        except av.error.FFmpegError as error:
            raise DataError(f"the video {self.path} is damaged ({error.strerror})") from error
        packets.sort()
        stamps = np.array([stamp for stamp, _ in packets], dtype=np.int64)
        return stamps, np.array([stamp for stamp, key in packets if key], dtype=np.int64)

    def read(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3] with these ascending indices; seeks where that saves decoding.

        Raises:
            DataError: a picture is not there, or cannot be decoded.
        """
        av = needs("av")
        stamps, keys = self._index
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                yield from self._decode(container, stream, stamps, keys, indices)
        except av.error.FFmpegError as error:
            raise DataError(f"the video {self.path} is damaged ({error.strerror})") from error

    def _decode(
        self, container: Any, stream: Any, stamps: np.ndarray, keys: np.ndarray, indices: Iterable[int]
    ) -> Iterator[np.ndarray]:
        frames: Iterator[Any] = iter(())
        reached: int | None = None
        for index in indices:
            if index >= len(stamps):
                raise DataError(f"the video {self.path} has {len(stamps)} pictures, there is none at {index}")
            wanted = int(stamps[index])
            key = _before(keys, wanted)
            if reached is None or key > reached:
                container.seek(key, stream=stream, backward=True)
                frames = container.decode(stream)
            for frame in frames:
                reached = frame.pts
                if reached is not None and reached >= wanted:
                    yield frame.to_ndarray(format="rgb24")
                    break
            else:
                raise DataError(f"the video {self.path} ends before its picture {index}: it is cut short")

    def _open(self) -> Any:
        av = needs("av")
        try:
            container = av.open(str(self.path))
        except FileNotFoundError:
            raise DataError(f"the video {self.path} does not exist") from None
        except (OSError, av.error.FFmpegError) as error:
            raise DataError(f"the video {self.path} cannot be opened ({error}): it is cut short or no video") from error
        if not container.streams.video:
            container.close()
            raise DataError(f"{self.path} has no video stream")
        return container


def _has_its_end(container: Any, stream: Any) -> bool:
    """Whether the last picture is there; its head may promise what was never written."""
    if stream.duration is None:
        return False
    try:
        container.seek((stream.start_time or 0) + stream.duration, stream=stream, backward=True)
        return any(packet.size for packet in container.demux(stream))
    except needs("av").error.FFmpegError:
        return False


def _before(keys: np.ndarray, wanted: int) -> int:
    """The last place at or before ``wanted`` that decoding can begin at; the file's beginning if it names none."""
    found = int(np.searchsorted(keys, wanted, side="right")) - 1
    return int(keys[found]) if found >= 0 else 0


class VideoPictures(Pictures):
    """A stretch of a video, picture by picture: the first ``count`` ones."""

    def __init__(self, video: Video, count: int) -> None:
        self._video, self._count = video, count

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        """See :class:`Pictures`."""
        return self._video.read(indices.tolist())


class TimedPictures(Pictures):
    """Pictures of a video by their times in it, as where several episodes share a file: float64 [T] seconds."""

    def __init__(self, video: Video, times: np.ndarray) -> None:
        self._video, self._times = video, times

    def __len__(self) -> int:
        return len(self._times)

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        """See :class:`Pictures`; two rows may share a picture."""
        frames = nearest(self._video.times, self._times[indices])
        missing = np.abs(self._video.times[frames] - self._times[indices]) > 0.6 / (self._video.rate or 1.0)
        if missing.any():
            late = self._times[indices][missing][0]
            raise DataError(f"the video {self._video.path} has no picture at {late:.3f} s: it is cut short")
        distinct, back = np.unique(frames, return_inverse=True)
        counts = np.bincount(back)
        for picture, repeats in zip(self._video.read(distinct.tolist()), counts, strict=True):
            for _ in range(repeats):
                yield picture
