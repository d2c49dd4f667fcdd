"""MCAP records: written so that a file is readable up to its last flush, and read as far as a cut file is whole.

Source: the MCAP specification, https://mcap.dev/spec.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vjepa_mpc.data.errors import DataError, needs

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, METADATA, METADATA_INDEX, SUMMARY_OFFSET, DATA_END = 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_CHUNK = struct.Struct("<QQQI")


@dataclass(frozen=True)
class Schema:
    """A message type with its definition."""

    id: int
    name: str
    encoding: str
    data: bytes


@dataclass(frozen=True)
class Channel:
    """A topic in a file."""

    id: int
    schema: int
    topic: str
    encoding: str
    metadata: dict[str, str] = field(default_factory=dict)


def text(value: str) -> bytes:
    """A string as MCAP writes it."""
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def record(kind: int, content: bytes) -> bytes:
    """A whole record."""
    return _RECORD.pack(kind, len(content)) + content


def pairs(values: dict[str, str]) -> bytes:
    """A map of strings as MCAP writes it."""
    content = b"".join(text(key) + text(value) for key, value in values.items())
    return struct.pack("<I", len(content)) + content


class McapFile:
    """Writes one MCAP file, chunk by chunk; what has been flushed can be read whatever happens to the process.

    Args:
        path: of the file, which must not exist.
        chunk_bytes: a chunk is closed once it holds so many.
    """

    def __init__(self, path: Path, chunk_bytes: int = 2**20) -> None:
        self.path = path
        self._file = path.open("xb")
        self._chunk_bytes = chunk_bytes
        self._schemas: dict[int, bytes] = {}
        self._channels: dict[int, bytes] = {}
        self._counts: dict[int, int] = {}
        self._indices: list[bytes] = []
        self._span: tuple[int, int] | None = None
        self._new_chunk()
        self._file.write(MAGIC + record(HEADER, text("ros2") + text("vjepa_mpc")))

    @property
    def size(self) -> int:
        """Bytes so far, with what is still in memory."""
        return self._file.tell() + len(self._chunk)

    def add_schema(self, schema: Schema) -> None:
        """Before the first channel that uses it."""
        content = struct.pack("<H", schema.id) + text(schema.name) + text(schema.encoding)
        content += struct.pack("<I", len(schema.data)) + schema.data
        self._schemas[schema.id] = record(SCHEMA, content)
        self._chunk += self._schemas[schema.id]

    def add_channel(self, channel: Channel) -> None:
        """Before its first message."""
        content = struct.pack("<HH", channel.id, channel.schema) + text(channel.topic) + text(channel.encoding)
        self._channels[channel.id] = record(CHANNEL, content + pairs(channel.metadata))
        self._counts[channel.id] = 0
        self._chunk += self._channels[channel.id]

    def write(self, channel: int, stamp: int, data: bytes | memoryview) -> None:
        """A message; ``stamp`` in nanoseconds."""
        self._offsets.setdefault(channel, []).append((stamp, len(self._chunk)))
        self._chunk += _RECORD.pack(MESSAGE, _MESSAGE.size + len(data))
        self._chunk += _MESSAGE.pack(channel, self._counts[channel] & 0xFFFFFFFF, stamp, stamp)
        self._chunk += data
        self._counts[channel] += 1
        first, last = self._span or (stamp, stamp)
        self._span = min(first, stamp), max(last, stamp)
        if len(self._chunk) >= self._chunk_bytes:
            self._end_chunk()

    def flush(self, sync: bool = False) -> None:
        """Hand everything to the operating system, so that it outlives this process; ``sync``: to the disk, too."""
        self._end_chunk()
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

    def close(self, metadata: dict[str, str] | None = None) -> None:
        """End the file with its index; ``metadata`` is what rosbag2 keeps under its own name."""
        self._end_chunk()
        metadata_at = self._file.tell()
        if metadata is not None:
            self._file.write(record(METADATA, text("rosbag2") + pairs(metadata)))
        metadata_bytes = self._file.tell() - metadata_at
        self._file.write(record(DATA_END, struct.pack("<I", 0)))
        self._write_summary(metadata_at, metadata_bytes)
        self._file.close()

    def abandon(self) -> None:
        """Close without an index, as after an error; what was flushed stays readable."""
        self._file.close()

    def _new_chunk(self) -> None:
        self._chunk = bytearray()
        self._offsets: dict[int, list[tuple[int, int]]] = {}

    def _end_chunk(self) -> None:
        if not self._chunk:
            return
        stamps = [stamp for offsets in self._offsets.values() for stamp, _ in offsets] or [0]
        head = _CHUNK.pack(min(stamps), max(stamps), len(self._chunk), zlib.crc32(self._chunk)) + text("")
        start = self._file.tell()
        self._file.write(record(CHUNK, head + struct.pack("<Q", len(self._chunk)) + bytes(self._chunk)))
        end = self._file.tell()
        places = b""
        for channel, offsets in self._offsets.items():
            places += struct.pack("<HQ", channel, self._file.tell())
            entries = b"".join(struct.pack("<QQ", *each) for each in offsets)
            self._file.write(record(MESSAGE_INDEX, struct.pack("<HI", channel, len(entries)) + entries))
        index = struct.pack("<QQQQI", min(stamps), max(stamps), start, end - start, len(places)) + places
        index += struct.pack("<Q", self._file.tell() - end) + text("")
        index += struct.pack("<QQ", len(self._chunk), len(self._chunk))
        self._indices.append(record(CHUNK_INDEX, index))
        self._new_chunk()

    def _write_summary(self, metadata_at: int, metadata_bytes: int) -> None:
        named = struct.pack("<QQ", metadata_at, metadata_bytes) + text("rosbag2")
        groups = {
            SCHEMA: b"".join(self._schemas.values()),
            CHANNEL: b"".join(self._channels.values()),
            CHUNK_INDEX: b"".join(self._indices),
            METADATA_INDEX: record(METADATA_INDEX, named) if metadata_bytes else b"",
            STATISTICS: record(STATISTICS, self._statistics(bool(metadata_bytes))),
        }
        start, offsets = self._file.tell(), b""
        for kind, content in groups.items():
            if content:
                offsets += record(SUMMARY_OFFSET, struct.pack("<BQQ", kind, self._file.tell(), len(content)))
                self._file.write(content)
        offsets_at = self._file.tell()
        self._file.write(offsets + record(FOOTER, struct.pack("<QQI", start, offsets_at, 0)) + MAGIC)

    def _statistics(self, has_metadata: bool) -> bytes:
        first, last = self._span or (0, 0)
        counts = b"".join(struct.pack("<HQ", channel, count) for channel, count in self._counts.items())
        head = struct.pack(
            "<QHIIII",
            sum(self._counts.values()),
            len(self._schemas),
            len(self._channels),
            0,
            has_metadata,
            len(self._indices),
        )
        return head + struct.pack("<QQI", first, last, len(counts)) + counts


@dataclass(frozen=True)
class Scanned:
    """A message of a file that is read from its beginning."""

    channel: Channel
    schema: Schema | None
    stamp: int
    data: bytes


def scan(path: Path) -> Iterator[Scanned]:
    """All messages of an MCAP file in the order of the file, up to where it ends or is damaged.

    Raises:
        DataError: it does not even begin as an MCAP file.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DataError(f"{path.name} does not begin as an MCAP file: it is empty or of another kind")
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        for kind, content in _records_of_file(file):
            inside = _records(_unpacked(content)) if kind == CHUNK else iter([(kind, content)])
            for each, body in inside:
                yield from _take(each, body, schemas, channels)


def _records_of_file(file: Any) -> Iterator[tuple[int, bytes]]:
    """Whole records, and of a last chunk that is cut short the part that is there."""
    while True:
        head = file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return
        kind, size = _RECORD.unpack(head)
        content = file.read(size)
        if kind in (DATA_END, FOOTER) or (len(content) < size and kind != CHUNK):
            return
        yield kind, content


def _unpacked(content: bytes) -> bytes:
    """The records in a chunk; of a damaged compressed one nothing."""
    try:
        name_bytes = struct.unpack_from("<I", content, _CHUNK.size)[0]
        name_at = _CHUNK.size + 4
        compression = content[name_at : name_at + name_bytes].decode()
        body = content[name_at + name_bytes + 8 :]
        return body if not compression else _decompress(body, compression)
    except (struct.error, UnicodeDecodeError):
        return b""


def _decompress(data: bytes, compression: str) -> bytes:
    if compression == "lz4":
        lz4 = needs("lz4.frame")
        try:
            return lz4.LZ4FrameDecompressor().decompress(data)
        except RuntimeError:
            return b""
    try:
        zstd = needs("compression.zstd")
    except DataError:
        zstd = needs("backports.zstd")
    try:
        return zstd.ZstdDecompressor().decompress(data)
    except zstd.ZstdError:
        return b""


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _RECORD.size <= len(data):
        kind, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            return
        yield kind, data[at : at + size]
        at += size


def _take(kind: int, body: bytes, schemas: dict[int, Schema], channels: dict[int, Channel]) -> Iterator[Scanned]:
    """Remember a schema or channel; give a message."""
    try:
        if kind == SCHEMA:
            number = struct.unpack_from("<H", body)[0]
            name, at = _text_at(body, 2)
            encoding, at = _text_at(body, at)
            schemas[number] = Schema(number, name, encoding, body[at + 4 :])
        elif kind == CHANNEL:
            number, schema = struct.unpack_from("<HH", body)
            topic, at = _text_at(body, 4)
            encoding, _ = _text_at(body, at)
            channels[number] = Channel(number, schema, topic, encoding)
        elif kind == MESSAGE:
            number, _, stamp, _ = _MESSAGE.unpack_from(body)
            if number in channels:
                channel = channels[number]
                yield Scanned(channel, schemas.get(channel.schema), stamp, body[_MESSAGE.size :])
    except (struct.error, UnicodeDecodeError):
        return


def _text_at(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("<I", data, at)[0]
    return data[at + 4 : at + 4 + size].decode(), at + 4 + size
