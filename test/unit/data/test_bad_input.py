"""What cannot be used is named, with what is there and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from support import robot_recordings as recordings
from support.robot_recordings import InMemory, Truth, make_truth, recording, write_droid, write_robomimic, write_rosbag2
from vjepa_mpc.data import DataError, DataWarning, Episode, errors, open_dataset
from vjepa_mpc.data.convert import convert
from vjepa_mpc.data.writers import _lerobot_files


@pytest.fixture
def hdf5(tmp_path: Path, truths: list[Truth]) -> Path:
    return write_robomimic(tmp_path / "in.hdf5", truths)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is empty"),
        (lambda path: path.write_text("hello"), "of no known format"),
        (lambda path: (path.mkdir(), (path / "a.tfrecord-00000").touch()), "RLDS"),
        (lambda path: (path.mkdir(), (path / "run.bag").touch()), "rosbags-convert"),
        (lambda path: (path.mkdir(), (path / "notes.txt").touch()), "there is: notes.txt"),
    ],
)
def test_a_path_without_recordings(make: object, message: str, tmp_path: Path) -> None:
    make(tmp_path / "data")
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / "data")


@pytest.mark.filterwarnings("ignore::vjepa_mpc.data.DataWarning")
@pytest.mark.parametrize("suffix", [".hdf5", ".mcap", ".db3"])
def test_an_empty_file(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"data{suffix}").touch()
    with pytest.raises(DataError, match=r"empty|damaged|cut short"):
        open_dataset(tmp_path / f"data{suffix}")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"observations": np.zeros((1, 2, 8, 8, 3)), "states": np.zeros((1, 2, 7))}, "float64 .* expected uint8"),
        ({"observations": np.zeros((1, 2, 8, 8, 3), np.uint8), "states": np.zeros((1, 3, 7))}, r"states \[1, 3, 7\]"),
        ({"pictures": np.zeros(3)}, "of no known format"),
    ],
)
def test_an_npz_of_other_arrays(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / "data.npz")


def test_an_episode_of_one_picture(tmp_path: Path, truths: list[Truth]) -> None:
    path = write_robomimic(tmp_path / "in.hdf5", [truths[0], make_truth(2, length=1)])
    with pytest.warns(DataWarning, match=r"demo_1 is skipped: it has 1 picture\(s\): at least two"):
        dataset = open_dataset(path)
    assert len(dataset) == 1 and dataset.skipped[0].name == "demo_1"


def test_too_many_unusable_episodes_end_with_the_list(tmp_path: Path, truths: list[Truth]) -> None:
    path = write_robomimic(tmp_path / "in.hdf5", [*truths, *(make_truth(2, length=1) for _ in range(3))])
    with pytest.warns(DataWarning), pytest.raises(DataError, match=r"more than 1 episodes.*\n.*demo_2.*\n.*demo_3"):
        open_dataset(path, max_bad=1)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"image": "x"}, "unknown key 'image': did you mean images"),
        ({"position_unit": "inch"}, "position_unit='inch': use one of m, cm, mm"),
        ({"rotation": "quaternion"}, "quaternion_xyzw"),
        ({"gripper_open": "wide"}, "gripper_open='wide': give a number"),
        ({"gripper_open": 1, "gripper_closed": 1}, "have to differ"),
        ({"tool": [1, 2]}, "six numbers"),
        ({"euler_axes": "XyZ"}, "euler_axes"),
        ({"format": "rosbag"}, "format='rosbag'"),
        ("no_such.yaml", "no_such.yaml cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_used(mapping: object, message: str, hdf5: Path) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(hdf5, mapping)


@pytest.mark.filterwarnings("ignore::vjepa_mpc.data.DataWarning")
@pytest.mark.parametrize("key", ["images", "poses", "gripper"])
@pytest.mark.parametrize("write", [recordings.write_rosbag2, recordings.write_lerobot_v21, write_droid])
def test_a_name_that_is_not_there_lists_what_is(write: object, key: str, tmp_path: Path, truths: list[Truth]) -> None:
    there = {
        "write_rosbag2": "/current_pose",
        "write_lerobot_v21": "observation",
        "write_droid": "2440|robot",
    }
    path = write(tmp_path / "data", truths[:1])
    with pytest.raises(DataError, match=there[write.__name__]):
        open_dataset(path, {key: "no_such_thing"})


def test_a_yaml_file_maps_a_robot(tmp_path: Path, truths: list[Truth]) -> None:
    path = write_robomimic(tmp_path / "in.hdf5", truths)
    (tmp_path / "robot.yaml").write_text("tool: [0, 0, 0.1, 0, 0, 0]\nbase: [1, 0, 0, 0, 0, 0]\ngripper: none\n")
    episode = open_dataset(path, tmp_path / "robot.yaml")[0]
    states = episode.states(episode.stamps)
    moved = states[:, :3] - truths[0].positions
    assert np.abs(moved - [1, 0, -0.1]).max() < 0.01, "the gripper points down, and the base is a metre behind"
    assert not states[:, 6].any()


def test_pictures_of_different_sizes(truths: list[Truth]) -> None:
    images = [*truths[0].images[:-1], truths[0].images[-1][:50]]
    episode = Episode(recording(truths[0], pictures=InMemory(images)))
    with pytest.raises(DataError, match=r"differ in size \(128 x 50, 128 x 96\)"):
        episode.images(episode.stamps)


def test_rows_and_pictures_that_differ_in_number(tmp_path: Path, truths: list[Truth]) -> None:
    one_short, ten_short = tmp_path / "one", tmp_path / "ten"
    for folder, missing in ((one_short, 1), (ten_short, 10)):
        write_droid(folder, truths[:1])
        (video,) = folder.rglob("*.mp4")
        recordings.write_video(video, truths[0].images[:-missing], 60)
    with pytest.warns(DataWarning, match="35 pictures for 36 rows"):
        assert len(open_dataset(one_short)[0]) == 35
    with pytest.warns(DataWarning), pytest.raises(DataError, match="26 pictures for 36 rows"):
        open_dataset(ten_short)


def test_a_video_that_is_cut_short_is_skipped(tmp_path: Path, truths: list[Truth]) -> None:
    folder = write_droid(tmp_path / "droid", truths)
    video = sorted(folder.rglob("*.mp4"))[0]
    video.write_bytes(video.read_bytes()[:2000])
    with pytest.warns(DataWarning, match="cannot be opened"):
        assert len(open_dataset(folder)) == 1


def test_an_episode_beyond_the_end_of_a_video_is_skipped(tmp_path: Path, hdf5: Path) -> None:
    folder = tmp_path / "out"
    convert(open_dataset(hdf5), folder, "lerobot")
    (video,) = folder.rglob("*.mp4")
    data = video.read_bytes()
    video.write_bytes(data[: int(0.7 * len(data))])
    with pytest.warns(DataWarning, match="episode_000001 is skipped: .* pictures for 30 rows"):
        (episode,) = open_dataset(folder)
    assert len(episode.images(episode.stamps)) == 36


def test_a_missing_file_of_a_lerobot_dataset(tmp_path: Path, truths: list[Truth]) -> None:
    folder = recordings.write_lerobot_v21(tmp_path / "a", truths)
    sorted(folder.rglob("*.parquet"))[0].unlink()
    with pytest.warns(DataWarning, match="episode_000000 is skipped: .*does not exist"):
        assert len(open_dataset(folder)) == 1


def test_lerobot_columns_without_names_have_to_be_given(tmp_path: Path, truths: list[Truth]) -> None:
    folder = recordings.write_lerobot_v21(tmp_path / "a", truths[:1])
    info = json.loads((folder / "meta" / "info.json").read_text())
    info["features"]["observation.state"]["names"] = None
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match=r"no feature names columns x, y, z.*observation.state"):
        open_dataset(folder)
    mapping = {
        "poses": "observation.state",
        "rotation_columns": [3, 4, 5],
        "gripper": "observation.state",
        "gripper_columns": 6,
        "gripper_open": 1,
        "gripper_closed": 0,
    }
    episode = open_dataset(folder, mapping)[0]
    np.testing.assert_allclose(episode.states(episode.stamps)[:, :3], truths[0].positions, atol=1e-6)
    np.testing.assert_allclose(episode.states(episode.stamps)[:, 6], truths[0].closedness, atol=1e-6)


def test_recordings_without_a_rate_need_one(hdf5: Path) -> None:
    with h5py.File(hdf5, "a") as file:
        del file["data"].attrs["env_args"]
    with pytest.warns(DataWarning), pytest.raises(DataError, match="set fps"):
        open_dataset(hdf5)
    assert np.diff(open_dataset(hdf5, {"fps": 10})[0].stamps).mean() == pytest.approx(0.1)


def test_poses_of_another_frame(tmp_path: Path, truths: list[Truth]) -> None:
    folder = write_rosbag2(tmp_path / "bags", truths[:1])
    with (
        pytest.warns(DataWarning),
        pytest.raises(DataError, match="poses of /current_pose are in base, not in 'world'"),
    ):
        open_dataset(folder, {"frame": "world"})


def test_stamps_outside_the_poses(truths: list[Truth]) -> None:
    episode = Episode(recording(truths[0]))
    with pytest.raises(DataError, match="there is no pose at"):
        episode.states(episode.stamps[-1] + 1)
    with pytest.raises(DataError, match="not positive"):
        episode.sample(0)


def test_clocks_that_do_not_agree(truths: list[Truth]) -> None:
    with pytest.raises(DataError, match="same clock"):
        Episode(recording(truths[0], stamps=truths[0].stamps - 1e6))


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(DataError, match=r"no_such_package: run `pip install '\.\[data\]'`"):
        errors.needs("no_such_package")


def test_a_full_disk_leaves_nothing_behind(hdf5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_lerobot_files.TableFile, "append", full)
    with pytest.raises(OSError, match="No space left"):
        convert(open_dataset(hdf5), tmp_path / "out", "lerobot")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.hdf5"]


def test_nothing_is_converted_over(hdf5: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="nothing is overwritten"):
        convert(open_dataset(hdf5), tmp_path / "out", "lerobot")
