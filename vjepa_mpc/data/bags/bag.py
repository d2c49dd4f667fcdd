"""Reading rosbag2: folders and single files, MCAP and SQLite, whole or cut short, with or without ``metadata.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vjepa_mpc.data.bags.mcap import scan
from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.errors import DataError, needs

SUFFIXES = (".mcap", ".db3")


def files_of(path: Path) -> list[list[Path]]:
    """The bags of a file or of a folder and what is below it: the files of each, in their order."""
    if path.is_file():
        return [[path]] if path.suffix in SUFFIXES else []
    own = _split_files(path)
    below = [bag for folder in sorted(path.iterdir(), key=natural) if folder.is_dir() for bag in files_of(folder)]
    return own + below


def natural(path: Path) -> list[Any]:
    """A key that sorts episode_2 before episode_10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _split_files(folder: Path) -> list[list[Path]]:
    """The files that lie in a folder: those of one bag together, separate recordings apart."""
    named = _files_in_metadata(folder)
    if named is not None:
        return [named]
    there = sorted((file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file()), key=natural)
    split = re.compile(re.escape(folder.name) + r"_\d+\.(mcap|db3)")
    if all(split.fullmatch(file.name) for file in there):
        return [there] if there else []
    return [[file] for file in there]


def _files_in_metadata(folder: Path) -> list[Path] | None:
    """Files that ``metadata.yaml`` names; None without a usable one."""
    information = bag_information(folder)
    names = information.get("relative_file_paths") or []
    found = [folder / Path(str(name)).name for name in names]
    return found if found and all(file.is_file() for file in found) else None


def bag_information(folder: Path) -> dict[str, Any]:
    """What ``metadata.yaml`` says; empty where it is missing or damaged."""
    try:
        values = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
        information = values["rosbag2_bagfile_information"]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return information if isinstance(information, dict) else {}


@dataclass(frozen=True)
class Message:
    """A message of a bag.

    Attributes:
        topic: its name.
        stamp: when it was received, nanoseconds.
        data: CDR.
    """

    topic: str
    stamp: int
    data: bytes


@dataclass
class Bag:
    """A recording in one or several files. It holds no open file; opening is cheap beside reading.

    Attributes:
        files: in their order.
        types: message type of each topic.
        counts: messages of each topic.
        notes: what could not be read.
    """

    files: Sequence[Path]
    types: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _places: Sequence[Path] = ()
    _cut: set[Path] = field(default_factory=set)
    _definitions: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # rosbags undoes rosbag2's own compression of messages or files only for the folder as a whole.
        mode = bag_information(self.files[0].parent).get("compression_mode")
        self._places = self.files if mode in (None, "", "none", "NONE") else [self.files[0].parent]
        for place in self._places:
            self._look(place)
        if not self.types:
            raise DataError(f"{self.files[0].name} has no messages: it is empty or damaged")

    def messages(self, topics: Sequence[str], start: int | None = None, stop: int | None = None) -> Iterator[Message]:
        """The messages of these topics, received from ``start`` to before ``stop`` nanoseconds, in the files' order."""
        for file in self._places:
            if file in self._cut:
                yield from _scanned(file, topics, start, stop)
                continue
            with _opened(file) as reader:
                wanted = [each for each in reader.connections if each.topic in topics]
                if wanted:
                    for connection, stamp, data in reader.messages(wanted, start=start, stop=stop):
                        yield Message(connection.topic, stamp, data)

    def decoder(self) -> Any:
        """A function from (CDR bytes, topic) to a message object with ROS's fields."""
        known = types_with().fielddefs
        store = types_with(tuple((name, *more) for name, more in self._definitions.items() if name not in known))
        return lambda data, topic: store.deserialize_cdr(data, self.types[topic])

    def _look(self, file: Path) -> None:
        """Note the topics; a file without an index is scanned."""
        try:
            with _opened(file) as reader:
                for each in reader.connections:
                    self._note(each.topic, each.msgtype, each.msgcount)
                    self._define(each.msgtype, each.msgdef.data, each.msgdef.format.name == "IDL")
        except DataError:
            if file.suffix != ".mcap":
                raise
            self._scan(file)

    def _scan(self, file: Path) -> None:
        self._cut.add(file)
        count = 0
        for message in scan(file):
            schema, topic = message.schema, message.channel.topic
            if schema is not None and message.channel.encoding == "cdr":
                self._note(topic, schema.name, 1)
                self._define(schema.name, schema.data.decode(errors="replace"), schema.encoding == "ros2idl")
                count += 1
        self.notes.append(f"{file.name} is cut short or damaged: {count} whole messages were read")

    def _note(self, topic: str, type_name: str, count: int) -> None:
        self.types[topic] = type_name
        self.counts[topic] = self.counts.get(topic, 0) + count

    def _define(self, name: str, definition: str, idl: bool) -> None:
        if definition:
            self._definitions[name] = definition, idl


def header_stamp(data: bytes) -> float:
    """Seconds of the ``std_msgs/Header`` that a CDR message begins with; only for types that have one."""
    seconds, nanoseconds = header_time(data)
    return float(seconds) + float(nanoseconds) * 1e-9


def header_time(data: bytes) -> tuple[int, int]:
    """The same stamp, exact: seconds and nanoseconds."""
    order = "<" if data[1] & 1 else ">"
    seconds, nanoseconds = np.frombuffer(data, dtype=[("s", order + "i4"), ("n", order + "u4")], count=1, offset=4)[0]
    return int(seconds), int(nanoseconds)


def _scanned(file: Path, topics: Sequence[str], start: int | None, stop: int | None) -> Iterator[Message]:
    for message in scan(file):
        inside = (start is None or message.stamp >= start) and (stop is None or message.stamp < stop)
        if inside and message.channel.topic in topics:
            yield Message(message.channel.topic, message.stamp, message.data)


@contextmanager
def _opened(place: Path) -> Iterator[Any]:
    """A reader of rosbags for a file or folder.

    Raises:
        DataError: the file is damaged; also while its messages are read.
    """
    rosbag2 = needs("rosbags.rosbag2")
    try:
        with rosbag2.Reader(place) as reader:
            yield reader
    except (DataError, GeneratorExit):
        raise
    except Exception as error:  # rosbags passes on what its storages raise: struct, sqlite, zstd and decoding errors
        raise DataError(f"{place.name} is damaged or cut short ({type(error).__name__}: {error})") from error
