"""What is being written: one bag after the other, each within the bounds, and none while the disk is nearly full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vjepa_mpc.data.bags.writer import BagWriter, Topic
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.ros.recorder.message_types import types_for
from vjepa_mpc.ros.recorder.parameters import MEGABYTE, RecorderSettings

# Recording goes on once this many times the least free space is free again, so that it does not go on and off.
ROOM_AGAIN = 1.1
NAME_FORMAT = "%Y-%m-%d_%H-%M-%S"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A topic as it is recorded.

    Attributes:
        name: in the bag.
        kind: message type, such as "sensor_msgs/msg/CompressedImage".
        qos: offered profiles, as they stand in a bag.
        latched: its newest message also opens every bag that is begun later.
    """

    name: str
    kind: str
    qos: tuple[dict[str, Any], ...] = ()
    latched: bool = False


@dataclass
class _Bag:
    """A bag that is being written."""

    writer: BagWriter
    topics: dict[str, Topic] = field(default_factory=dict)


class Recording:
    """Writes messages into bags. One thread makes all calls.

    Args:
        settings: the bounds.
        now: nanoseconds since 1970, for what is written again at the beginning of a bag.
        name_now: the present moment as part of a bag's name.
        free_bytes: of the disk that a folder is on.

    Attributes:
        trouble: why nothing is being recorded although it should be; "" while all is well.
        messages: how many have been written.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        now: Callable[[], int],
        name_now: Callable[[], str],
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._settings, self._now, self._name_now, self._free_bytes = settings, now, name_now, free_bytes
        self._bag: _Bag | None = None
        self._latched: dict[str, tuple[Channel, bytes]] = {}
        self.trouble, self.messages = "", 0

    @property
    def folder(self) -> Path | None:
        """Of the bag that is being written; None while there is none."""
        return None if self._bag is None else self._bag.writer.folder

    @property
    def free(self) -> int:
        """Bytes that are free where bags are written."""
        return self._free_bytes(self._settings.path)

    def begin(self, label: str = "") -> None:
        """Begin a bag, after ending the present one; does nothing while there is no room.

        Args:
            label: end of its name, such as "goal_3".
        """
        self.end()
        if not self._has_room():
            return
        base = "_".join(filter(None, (self._name_now(), label)))
        names = [base, *(f"{base}_{count}" for count in range(2, 1000))]
        folder = next(path for name in names if not (path := self._settings.path / name).exists())
        try:
            self._bag = _Bag(
                BagWriter(
                    folder,
                    split_bytes=int(self._settings.split_megabytes * MEGABYTE),
                    split_seconds=self._settings.split_seconds,
                )
            )
        except (OSError, DataError) as error:
            self._fail(f"{folder} cannot be made ({error})")
            return
        for channel, data in self._latched.values():
            self._write(channel, self._now(), data)

    def end(self) -> None:
        """End the bag that is being written, if there is one."""
        bag, self._bag = self._bag, None
        if bag is None:
            return
        try:
            bag.writer.close()
        except OSError as error:
            bag.writer.abandon()
            self._fail(f"{bag.writer.folder} could not be ended ({error}); what it holds can be read without its index")

    def write(self, channel: Channel, stamp: int, data: bytes) -> None:
        """Write a message in CDR; it is dropped while there is no bag.

        Args:
            channel: what it came over.
            stamp: nanoseconds since 1970, when it was received.
            data: the message.
        """
        if channel.latched:
            self.remember(channel, data)
        self._write(channel, stamp, data)

    def remember(self, channel: Channel, data: bytes) -> None:
        """Have a message at the beginning of every bag that is begun from now on, instead of the one before."""
        self._latched[channel.name] = channel, data

    def flush(self) -> bool:
        """Make what was written outlive this process, and watch the disk; True when there is room for a bag again."""
        if self._bag is None:
            return bool(self.trouble) and self._has_room(ROOM_AGAIN)
        if not self._has_room():
            trouble = self.trouble
            self.end()
            self.trouble = trouble
            return False
        try:
            self._bag.writer.flush()
        except OSError as error:
            self._give_up(error)
        return False

    def _write(self, channel: Channel, stamp: int, data: bytes) -> None:
        bag = self._bag
        if bag is None:
            return
        try:
            if channel.name not in bag.topics:
                added = bag.writer.add_topic(channel.name, channel.kind, types_for(channel.kind), channel.qos)
                bag.topics[channel.name] = added
            bag.writer.write(bag.topics[channel.name], stamp, data)
            self.messages += 1
        except OSError as error:
            self._give_up(error)

    def _has_room(self, factor: float = 1.0) -> bool:
        """Whether more than the least space is free; says so in `trouble`."""
        least = self._settings.min_free_megabytes * MEGABYTE
        free = self.free
        if free < factor * least:
            self.trouble = (
                f"DISK_NEARLY_FULL: {free / MEGABYTE:.0f} MB are free where {self._settings.path} is, less than "
                f"min_free_megabytes={self._settings.min_free_megabytes:g}. Nothing is recorded until there is room."
            )
            return False
        self.trouble = ""
        return True

    def _give_up(self, error: OSError) -> None:
        """Leave a bag that cannot be written to."""
        bag, self._bag = self._bag, None
        if bag is not None:
            bag.writer.abandon()
            self._fail(f"{bag.writer.folder} cannot be written ({error}); what was written before can be read")

    def _fail(self, what: str) -> None:
        self.trouble = f"NOT_WRITTEN: {what}. Nothing is recorded."
