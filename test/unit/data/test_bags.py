"""rosbag2 without ROS: bags that are cut short, split, or without metadata, and writing that survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rosbags.rosbag2
import yaml

from support.robot_recordings import Truth, write_rosbag2, write_sqlite
from vjepa_mpc.data import DataError, DataWarning, open_dataset
from vjepa_mpc.data.bags.bag import Bag, files_of
from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.bags.writer import BagWriter

TYPE = "std_msgs/msg/String"


def text(value: str) -> bytes:
    types = types_with()
    return bytes(types.serialize_cdr(types.types[TYPE](data=value), TYPE))


def test_metadata_is_not_needed(tmp_path: Path, truths: list[Truth]) -> None:
    folder = write_rosbag2(tmp_path / "bags", truths)
    expected = [len(episode) for episode in open_dataset(folder)]
    for file in folder.rglob("metadata.yaml"):
        file.unlink()
    dataset = open_dataset(folder)
    assert [len(episode) for episode in dataset] == expected
    assert [episode.name for episode in dataset] == ["episode_000000", "episode_000001"]


@pytest.mark.filterwarnings("ignore:.*have no pose")
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_bag_that_is_cut_short_is_read_as_far_as_it_is_whole(
    share: float, tmp_path: Path, truths: list[Truth]
) -> None:
    folder = write_rosbag2(tmp_path / "bags", truths[:1])
    (file,) = folder.rglob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.warns(DataWarning, match=r"cut short or damaged: \d+ whole messages were read"):
        (episode,) = open_dataset(folder)
    length = len(episode)
    assert 0.4 * share * len(truths[0].stamps) < length < len(truths[0].stamps)
    np.testing.assert_allclose(episode.states(episode.stamps)[:, :3], truths[0].positions[:length], atol=1e-4)
    assert np.abs(episode.images(episode.stamps).astype(float) - truths[0].images[:length]).mean() < 3


def test_a_damaged_sqlite_bag_is_skipped_by_name(tmp_path: Path, truths: list[Truth]) -> None:
    folder = write_sqlite(tmp_path / "bags", truths)
    file = sorted(folder.rglob("*.db3"))[0]
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.warns(DataWarning, match="episode_000000 is skipped"):
        dataset = open_dataset(folder)
    assert len(dataset) == 1 and [each.name for each in dataset.skipped] == ["episode_000000"]


def test_a_split_bag_is_one_recording(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag", split_bytes=300) as bag:
        topic = bag.add_topic("/words", TYPE, types_with())
        for number in range(20):
            bag.write(topic, 10**9 + number, text(f"word {number}"))
    assert len(list((tmp_path / "bag").glob("*.mcap"))) > 1
    ((first, *_),) = files_of(tmp_path / "bag")
    assert first.name == "bag_0.mcap"
    stamps = [message.stamp for message in Bag(files_of(tmp_path / "bag")[0]).messages(["/words"])]
    assert stamps == [10**9 + number for number in range(20)]
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert len(files_of(tmp_path / "bag")) == 1


def test_bags_are_what_rosbags_reads(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag", split_seconds=2.0) as bag:
        topic = bag.add_topic("/words", TYPE, types_with())
        for number in range(5):
            bag.write(topic, number * 10**9, text("a word"))
    with rosbags.rosbag2.Reader(tmp_path / "bag") as reader:
        assert reader.message_count == 5
        assert reader.duration == 4 * 10**9 + 1
        (connection,) = reader.connections
        assert connection.msgdef.data.startswith("string data")
        assert [stamp for _, stamp, _ in reader.messages()] == [number * 10**9 for number in range(5)]
    information = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["version"] == 9 and information["storage_identifier"] == "mcap"
    assert len(information["files"]) == 3


def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.bags.writer import BagWriter
bag = BagWriter(Path({str(tmp_path / "bag")!r}))
topic = bag.add_topic("/words", {TYPE!r}, types_with())
data = bytes(types_with().serialize_cdr(types_with().types[{TYPE!r}](data="x"), {TYPE!r}))
for number in range(10):
    bag.write(topic, number, data)
bag.flush()
bag.write(topic, 10, data)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    bag = Bag(files_of(tmp_path / "bag")[0])
    assert len(list(bag.messages(["/words"]))) == 10
    assert "10 whole messages" in bag.notes[0]


def test_a_bag_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(DataError, match="exists"):
        BagWriter(tmp_path / "bag")
