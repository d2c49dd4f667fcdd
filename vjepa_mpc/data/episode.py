"""An episode: pictures and states at any time stamps, read only when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.mapping import DataMapping
from vjepa_mpc.data.tracks import MARGIN, GripperTrack, PoseTrack, RawGripper, RawPoses, nearest


class Pictures(ABC):
    """Pictures of one episode, somewhere on the disk. Objects of it hold paths, no open files, and can be pickled."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        """The pictures uint8 [H, W, 3] with these indices, which are sorted and differ, one after the other."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a reader found of one episode.

    Attributes:
        name: of the episode.
        stamps: float64 [T] seconds, one a picture, in the order of recording.
        pictures: T of them.
        poses: as recorded.
        gripper: as recorded; None for an arm without one.
        mapping: complete: with what the reader found out.
        task: what was to be done, in words; "" if the recording does not say.
        video_rate: pictures a second that a video file declares; None without one.
        notes: what could not be read, in words.
    """

    name: str
    stamps: np.ndarray
    pictures: Pictures
    poses: RawPoses
    gripper: RawGripper | None
    mapping: DataMapping
    task: str = ""
    video_rate: float | None = None
    notes: tuple[str, ...] = ()


class Episode:
    """Pictures and states of one episode.

    It keeps the stamps, the poses and the gripper in memory (some 100 bytes a pose), and no picture.

    Args:
        recording: what a reader found.

    Raises:
        DataError: fewer than two pictures have a pose, or the poses cannot be used.
    """

    def __init__(self, recording: Recording) -> None:
        self.name, self.task = recording.name, recording.task
        self.recording = recording
        self.poses = PoseTrack(recording.poses, recording.mapping)
        self.gripper = GripperTrack(recording.gripper, recording.mapping)
        shown = recording.stamps - recording.mapping.image_delay
        order = np.argsort(shown, kind="stable")
        order = order[np.isfinite(shown[order])]
        self._order = order[self.poses.covers(shown[order])]
        self._stamps = shown[self._order]
        if len(self._order) < 2:
            raise DataError(_too_few(shown[order], self.poses))
        lost = len(recording.stamps) - len(self._order)
        self.notes = recording.notes
        if lost:
            self.notes += (f"{lost} of {len(recording.stamps)} pictures have no pose within {MARGIN} s: left out",)

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def stamps(self) -> np.ndarray:
        """Float64 [T] seconds, ascending: when each picture was taken; since 1970 where the recording knows."""
        return self._stamps

    def states(self, stamps: np.ndarray) -> np.ndarray:
        """States float64 [K, 7] at the stamps [K]: metres, extrinsic xyz radians in the base frame, closedness 0 to 1.

        Positions and the gripper are interpolated linearly, each by its own stamps, rotations along the shortest turn.

        Raises:
            DataError: a stamp lies outside the recorded poses.
        """
        times = np.atleast_1d(np.asarray(stamps, dtype=np.float64))
        return np.concatenate([self.poses.at(times), self.gripper.at(times)[:, None]], axis=1)

    def images(self, stamps: np.ndarray) -> np.ndarray:
        """Pictures uint8 [K, H, W, 3], RGB: the nearest one of each of the stamps [K].

        Raises:
            DataError: a picture cannot be read, or they differ in size.
        """
        times = np.atleast_1d(np.asarray(stamps, dtype=np.float64))
        if not len(times):
            raise DataError(f"{self.name}: no stamp was given: ask for at least one picture")
        wanted, back = np.unique(self._order[nearest(self._stamps, times)], return_inverse=True)
        try:
            pictures = list(self.recording.pictures.read(wanted))
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error
        sizes = sorted({picture.shape for picture in pictures})
        if len(sizes) > 1:
            seen = ", ".join(f"{width} x {height}" for height, width, *_ in sizes)
            raise DataError(f"{self.name}: the pictures differ in size ({seen}): choose one camera with `images`")
        if len(pictures) != len(wanted):
            raise DataError(f"{self.name}: only {len(pictures)} of {len(wanted)} pictures could be read")
        stacked = np.stack([pictures[index] for index in back])
        return np.ascontiguousarray(stacked[..., ::-1]) if self.recording.mapping.colours == "bgr" else stacked

    def sample(self, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The episode at equal steps of time, from its first picture on.

        Args:
            seconds: length of a step.

        Returns:
            stamps float64 [K], exactly ``seconds`` apart; images uint8 [K, H, W, 3], the nearest ones; states float64
            [K, 7] at the stamps.

        Raises:
            DataError: ``seconds`` is not positive, or as for :meth:`images`.
        """
        stamps = self.grid(seconds)
        return stamps, self.images(stamps), self.states(stamps)

    def grid(self, seconds: float) -> np.ndarray:
        """The stamps float64 [K] of :meth:`sample`, for those who read the pictures in parts."""
        if not (np.isfinite(seconds) and seconds > 0):
            raise DataError(f"a step of {seconds} s is not positive: give the seconds between two samples")
        span = self._stamps[-1] - self._stamps[0]
        return self._stamps[0] + seconds * np.arange(int(span / seconds + 1e-6) + 1)


def cut_to_rows(recording_stamps: np.ndarray, pictures: int, what: str) -> tuple[int, tuple[str, ...]]:
    """How many rows have a picture when the two numbers differ, and a note that says so.

    Recorders stop between a row and its picture: the last one or two may be missing. More mean that it is not known
    which picture belongs to which row.

    Raises:
        DataError: they differ by more than that.
    """
    rows = len(recording_stamps)
    if rows == pictures:
        return rows, ()
    if abs(rows - pictures) > max(2, 0.02 * rows):
        raise DataError(
            f"{what} has {pictures} pictures for {rows} rows: it is not known which belong together; record it again"
        )
    return min(rows, pictures), (f"{what} has {pictures} pictures for {rows} rows: the last ones are left out",)


def _too_few(stamps: np.ndarray, poses: PoseTrack) -> str:
    if len(stamps) < 2:
        return f"it has {len(stamps)} picture(s): at least two are needed"
    return (
        f"fewer than two of its {len(stamps)} pictures have a pose: pictures from {stamps[0]:.3f} to {stamps[-1]:.3f} "
        f"s, poses from {poses.stamps[0]:.3f} to {poses.stamps[-1]:.3f} s; were both recorded with the same clock?"
    )
