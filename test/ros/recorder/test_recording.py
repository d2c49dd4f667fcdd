"""Bags begin, end, and stay within their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from rosbags.highlevel import AnyReader
from std_msgs.msg import String

from vjepa_mpc.data.bags.writer import BagWriter
from vjepa_mpc.ros.recorder.message_types import encoded
from vjepa_mpc.ros.recorder.parameters import MEGABYTE, RecorderSettings
from vjepa_mpc.ros.recorder.recording import Channel, Recording

SAID = Channel(name="/said", kind="std_msgs/msg/String")
LATCHED = Channel(name="/latched", kind="std_msgs/msg/String", latched=True)

pytestmark = pytest.mark.ros


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    made: list[Recording] = []
    stamps = count(10**18)

    def recording(free: Callable[[Path], int] = lambda _: 10**12, **options: Any) -> Recording:
        settings = RecorderSettings(folder=str(tmp_path), **options)
        made.append(Recording(settings, lambda: next(stamps), lambda: "today", free))
        return made[-1]

    yield recording
    for each in made:
        each.end()


def say(recording: Recording, text: str, channel: Channel = SAID, stamp: int = 10**18) -> None:
    recording.write(channel, stamp, encoded(String(data=text), channel.kind))


def said(bag: Path) -> list[tuple[str, str]]:
    with AnyReader([bag]) as reader:
        return [
            (connection.topic, reader.deserialize(data, connection.msgtype).data)
            for connection, _, data in reader.messages()
        ]


def test_nothing_is_written_before_and_after_a_bag(make: Callable[..., Recording], tmp_path: Path) -> None:
    recording = make()
    say(recording, "before")
    recording.begin("goal_1")
    say(recording, "within")
    recording.end()
    say(recording, "after")
    assert said(tmp_path / "today_goal_1") == [("/said", "within")]


def test_a_name_is_not_used_twice(make: Callable[..., Recording], tmp_path: Path) -> None:
    recording = make()
    for _ in range(3):
        recording.begin()
    recording.end()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["today", "today_2", "today_3"]


def test_what_was_latched_opens_every_later_bag(make: Callable[..., Recording], tmp_path: Path) -> None:
    recording = make()
    say(recording, "old", LATCHED)
    say(recording, "new", LATCHED)
    recording.begin()
    recording.end()
    assert said(tmp_path / "today") == [("/latched", "new")]


def test_files_are_split(make: Callable[..., Recording], tmp_path: Path) -> None:
    recording = make(split_megabytes=1.0)
    recording.begin()
    for number in range(3):
        say(recording, "x" * MEGABYTE, stamp=10**18 + number)
    recording.end()
    assert len(list((tmp_path / "today").glob("*.mcap"))) == 3
    assert len(said(tmp_path / "today")) == 3


def test_a_nearly_full_disk_ends_the_bag_by_name_and_room_is_noticed(
    make: Callable[..., Recording], tmp_path: Path
) -> None:
    free = [2000 * MEGABYTE]
    recording = make(lambda _: free[0], min_free_megabytes=1000.0)
    recording.begin()
    say(recording, "kept")
    free[0] = 999 * MEGABYTE
    assert not recording.flush()
    assert recording.folder is None and "DISK_NEARLY_FULL: 999 MB" in recording.trouble
    assert "min_free_megabytes=1000" in recording.trouble
    assert said(tmp_path / "today") == [("/said", "kept")]
    free[0] = 1050 * MEGABYTE
    assert not recording.flush(), "it would go on and off"
    free[0] = 1200 * MEGABYTE
    assert recording.flush()
    assert not recording.trouble


def test_no_bag_is_begun_without_room(make: Callable[..., Recording], tmp_path: Path) -> None:
    recording = make(lambda _: 0)
    recording.begin()
    assert recording.folder is None and recording.trouble.startswith("DISK_NEARLY_FULL")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_loses_nothing_that_was_flushed(
    make: Callable[..., Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = make()
    recording.begin()
    say(recording, "kept")
    recording.flush()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BagWriter, "write", full)
    say(recording, "lost")
    assert recording.folder is None
    assert recording.trouble.startswith("NOT_WRITTEN") and "No space left" in recording.trouble
    file = next((tmp_path / "today").glob("*.mcap"))
    assert b"kept" in file.read_bytes()
