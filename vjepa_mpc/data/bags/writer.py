"""Writing rosbag2 folders: MCAP with ROS 2 schemas and ``metadata.yaml``, split by size and time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from vjepa_mpc.data.bags.mcap import Channel, McapFile, Schema
from vjepa_mpc.data.errors import DataError

VERSION = 9


@dataclass(frozen=True)
class Topic:
    """What is recorded under a name.

    Attributes:
        id: in the bag.
        name: of the topic.
        type: such as "sensor_msgs/msg/CompressedImage".
        definition: the type's definition with all that it contains.
        hash: its RIHS01 type hash.
        qos: offered profiles as rosbag2 writes them, one mapping each.
    """

    id: int
    name: str
    type: str
    definition: str
    hash: str
    qos: Sequence[dict[str, Any]] = ()


@dataclass
class _File:
    """A file of the bag and what it holds."""

    writer: McapFile
    first: int | None = None
    last: int = 0
    count: int = 0
    known: set[int] = field(default_factory=set)


class BagWriter:
    """A new rosbag2 folder. Not for several threads at once.

    Messages are given as CDR bytes, as ``rclpy.serialization`` or a store of rosbags makes them. After :meth:`flush`
    they can be read even if the process is killed. There is no ``metadata.yaml`` then, and the last file has no index:
    the reader here does without, and ``ros2 bag reindex`` and ``mcap recover`` make them.

    Args:
        folder: to make; must not exist.
        split_bytes: a file is ended once it holds so many; None: never.
        split_seconds: a file is ended once it spans so many; None: never.

    Raises:
        DataError: the folder exists, or cannot be made.
    """

    def __init__(
        self, folder: Path, *, split_bytes: int | None = None, split_seconds: float | None = None, distro: str = "jazzy"
    ) -> None:
        self.folder, self.topics = folder, list[Topic]()
        self._split_bytes, self._split_seconds, self._distro = split_bytes, split_seconds, distro
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise DataError(f"{folder} exists: a bag is only written into a new folder; choose another name") from None
        self._counts: dict[int, int] = {}
        self._files: list[_File] = []
        self._next_file()

    def add_topic(self, name: str, type: str, types: Any, qos: Sequence[dict[str, Any]] = ()) -> Topic:
        """Declare a topic before its first message.

        Args:
            name: of the topic.
            type: such as "geometry_msgs/msg/PoseStamped".
            types: a store of rosbags that knows the type, see :mod:`vjepa_mpc.data.bags.types`.
            qos: offered profiles for ``metadata.yaml``; empty: the default ones when played.
        """
        definition, _ = types.generate_msgdef(type, ros_version=2)
        topic = Topic(len(self.topics) + 1, name, type, definition, types.hash_rihs01(type), qos)
        self.topics.append(topic)
        self._counts[topic.id] = 0
        return topic

    def write(self, topic: Topic, stamp: int, data: bytes | memoryview) -> None:
        """A message in CDR; ``stamp`` is when it was received, in nanoseconds since 1970."""
        file = self._files[-1]
        if self._is_full(file, stamp):
            self._end_file()
            file = self._next_file()
        if topic.id not in file.known:
            self._declare(file, topic)
        file.writer.write(topic.id, stamp, data)
        file.first = stamp if file.first is None else min(file.first, stamp)
        file.last, file.count = max(file.last, stamp), file.count + 1
        self._counts[topic.id] += 1

    def flush(self, sync: bool = False) -> None:
        """Make all messages so far outlive this process; ``sync``: and a loss of power."""
        self._files[-1].writer.flush(sync)

    def close(self) -> None:
        """End the last file and write ``metadata.yaml``."""
        self._end_file()
        described = yaml.safe_dump({"rosbag2_bagfile_information": self._metadata(self._files)}, sort_keys=False)
        part = self.folder / "metadata.yaml.part"
        part.write_text(described, encoding="utf-8")
        os.replace(part, self.folder / "metadata.yaml")

    def abandon(self) -> None:
        """Close the files without index and metadata, as after an error such as a full disk."""
        self._files[-1].writer.abandon()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _next_file(self) -> _File:
        file = _File(McapFile(self.folder / f"{self.folder.name}_{len(self._files)}.mcap"))
        self._files.append(file)
        return file

    def _is_full(self, file: _File, stamp: int) -> bool:
        too_large = self._split_bytes is not None and file.writer.size >= self._split_bytes
        too_long = (
            self._split_seconds is not None
            and file.first is not None
            and stamp - file.first >= self._split_seconds * 1e9
        )
        return file.count > 0 and (too_large or too_long)

    def _declare(self, file: _File, topic: Topic) -> None:
        file.writer.add_schema(Schema(topic.id, topic.type, "ros2msg", topic.definition.encode()))
        qos = yaml.safe_dump(list(topic.qos)) if topic.qos else ""
        described = {"offered_qos_profiles": qos, "topic_type_hash": topic.hash}
        file.writer.add_channel(Channel(topic.id, topic.id, topic.name, "cdr", described))
        file.known.add(topic.id)

    def _end_file(self) -> None:
        described = yaml.safe_dump(self._metadata(self._files[-1:]), sort_keys=False)
        self._files[-1].writer.close({"serialized_metadata": described})

    def _metadata(self, files: Sequence[_File]) -> dict[str, Any]:
        first = min((file.first for file in files if file.first is not None), default=0)
        last = max((file.last for file in files), default=0)
        return {
            "version": VERSION,
            "storage_identifier": "mcap",
            "duration": {"nanoseconds": max(last - first, 0)},
            "starting_time": {"nanoseconds_since_epoch": first},
            "message_count": sum(file.count for file in files),
            "topics_with_message_count": [self._described(topic) for topic in self.topics],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file.writer.path.name for file in files],
            "files": [_file_entry(file) for file in files],
            "custom_data": None,
            "ros_distro": self._distro,
        }

    def _described(self, topic: Topic) -> dict[str, Any]:
        return {
            "topic_metadata": {
                "name": topic.name,
                "type": topic.type,
                "serialization_format": "cdr",
                "offered_qos_profiles": list(topic.qos),
                "type_description_hash": topic.hash,
            },
            "message_count": self._counts[topic.id],
        }


def _file_entry(file: _File) -> dict[str, Any]:
    first = file.first or 0
    return {
        "path": file.writer.path.name,
        "starting_time": {"nanoseconds_since_epoch": first},
        "duration": {"nanoseconds": max(file.last - first, 0)},
        "message_count": file.count,
    }
