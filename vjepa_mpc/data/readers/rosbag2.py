"""rosbag2: one bag an episode, MCAP or SQLite; pictures, poses and gripper at their own stamps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vjepa_mpc.data.bags.bag import Bag, files_of
from vjepa_mpc.data.episode import Pictures, Recording
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.mapping import DataMapping
from vjepa_mpc.data.reader import Reader, Source
from vjepa_mpc.data.readers._rosbag2_topics import Topics, find_topics, gripper_value, has_header, pose_values
from vjepa_mpc.data.tracks import RawGripper, RawPoses
from vjepa_mpc.images import ImageError, image_to_rgb


class Rosbag2Reader(Reader):
    """The bags of a file, of a folder, or of a folder of folders."""

    title = "rosbag2 (MCAP or SQLite files, or folders of them)"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is an .mcap or .db3 file in it or in a folder below."""
        return bool(files_of(path))

    def sources(self) -> Sequence[Source]:
        """One episode a bag; the names are the folders', or the files' where several recordings share a folder."""
        bags = files_of(self.path)
        folders = [files[0].parent for files in bags]
        return [
            Source(name, partial(_open, files, name, self.mapping))
            for files, name in ((files, self._name(files, folders)) for files in bags)
        ]

    def _name(self, files: Sequence[Path], folders: Sequence[Path]) -> str:
        folder = files[0].parent
        alone = folders.count(folder) == 1 and self.path.is_dir()
        if not alone:
            return files[0].stem
        return folder.name if folder == self.path else str(folder.relative_to(self.path))


class _BagPictures(Pictures):
    """Pictures of a topic; only the stretch of the bag is read that holds those that are asked for."""

    def __init__(self, bag: Bag, topic: str, received: np.ndarray) -> None:
        self._bag, self._topic, self._received = bag, topic, received

    def __len__(self) -> int:
        return len(self._received)

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        decode = self._bag.decoder()
        wanted, received = set(indices.tolist()), self._received
        first, last = int(received[indices].min()), int(received[indices].max())
        number = int(np.searchsorted(received, first))
        for message in self._bag.messages([self._topic], first, last + 1):
            if number in wanted:
                try:
                    yield image_to_rgb(decode(message.data, self._topic))
                except ImageError as error:
                    raise DataError(f"picture {number} of {self._topic}: {error}") from error
            number += 1


def _open(files: Sequence[Path], name: str, mapping: DataMapping) -> Recording:
    bag = Bag(files)
    topics = find_topics(bag, mapping)
    streams = _Streams(bag, topics)
    return Recording(
        name=name,
        stamps=streams.stamps(topics.images),
        pictures=_BagPictures(bag, topics.images, np.array(streams.received[topics.images], dtype=np.int64)),
        poses=streams.poses(),
        gripper=streams.gripper(),
        mapping=topics.mapping,
        notes=tuple(bag.notes) + topics.notes + tuple(streams.notes),
    )


class _Streams:
    """Stamps and values of an episode's topics, by one pass over the bag."""

    def __init__(self, bag: Bag, topics: Topics) -> None:
        self._topics, self.notes = topics, list[str]()
        names = [name for name in dict.fromkeys((topics.images, topics.poses, topics.gripper)) if name]
        self.received: dict[str, list[int]] = {name: [] for name in names}
        self._headers: dict[str, list[float]] = {name: [] for name in names}
        self._poses: list[tuple[np.ndarray, np.ndarray]] = []
        self._openings: list[float] = []
        self._opening_at: list[int] = []
        self._frames: set[str] = set()
        self._read(bag, names)
        self._check()

    def _read(self, bag: Bag, names: Sequence[str]) -> None:
        decode = bag.decoder()
        stamped = {name: has_header(bag.types[name]) for name in names}
        for message in bag.messages(names):
            topic = message.topic
            self.received[topic].append(message.stamp)
            self._headers[topic].append(stamped[topic](message.data))
            if topic == self._topics.poses:
                self._take_pose(decode(message.data, topic))
            if topic == self._topics.gripper:
                self._take_opening(decode(message.data, topic), len(self.received[topic]) - 1)

    def _take_pose(self, message: object) -> None:
        position, quaternion, frame = pose_values(message, self._topics.pose_field)
        self._poses.append((position, quaternion))
        self._frames.add(frame)

    def _take_opening(self, message: object, index: int) -> None:
        """Joint states of other joints than the fingers' come on the same topic at times; those are passed over."""
        value = gripper_value(message, self._topics.gripper_field, self._topics.joints)
        if value is not None:
            self._openings.append(value)
            self._opening_at.append(index)

    def _check(self) -> None:
        wanted = self._topics.mapping.frame
        if wanted and self._frames - {wanted}:
            raise DataError(
                f"frame: poses of {self._topics.poses} are in {', '.join(sorted(self._frames))}, not in {wanted!r}: "
                "set base to where that frame is, and frame to its name"
            )
        if self._topics.gripper and not self._openings:
            raise DataError(f"no message of {self._topics.gripper} has the joints {', '.join(self._topics.joints)}")

    def stamps(self, topic: str) -> np.ndarray:
        """Seconds since 1970 of each message, by the stamps that count."""
        received = np.array(self.received[topic], dtype=np.int64) / 1e9
        headers = np.array(self._headers[topic])
        which = self._topics.mapping.stamps
        if which == "receive":
            return received
        unset = not len(headers) or not np.isfinite(headers).all() or (headers <= 0).any()
        if unset and which == "header":
            raise DataError(f"stamps: {topic} has no header stamps: set 'stamps: receive'")
        return received if unset else headers

    def poses(self) -> RawPoses:
        """The poses."""
        if not self._poses:
            raise DataError(f"{self._topics.poses} has no messages: nothing is known of the arm")
        positions, quaternions = zip(*self._poses, strict=True)
        return RawPoses(self.stamps(self._topics.poses), np.stack(positions), np.stack(quaternions))

    def gripper(self) -> RawGripper | None:
        """The gripper's values; None without one."""
        if not self._topics.gripper:
            return None
        return RawGripper(self.stamps(self._topics.gripper)[self._opening_at], np.array(self._openings))
