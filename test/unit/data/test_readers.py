"""Every reader gives back what was recorded, within what its format and codec can hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support import robot_recordings as recordings
from support.golden import SHARED
from support.robot_recordings import Truth
from vjepa_mpc.data import Dataset, DataWarning, Episode, open_dataset
from vjepa_mpc.data.convert import convert

# Format: (how to write it, what stamps may differ by, mean difference of pictures of 255).
FORMATS = {
    "rosbag2": (recordings.write_rosbag2, 1e-6, 3.0),
    "sqlite": (recordings.write_sqlite, 1e-6, 3.0),
    "robomimic": (lambda path, truths: recordings.write_robomimic(path.with_suffix(".hdf5"), truths), 1e-6, 0.0),
    "droid": (recordings.write_droid, 1e-3, 5.0),
    "lerobot_v21": (recordings.write_lerobot_v21, 1e-6, 5.0),
}


def rotation_error(states: np.ndarray, quaternions: np.ndarray) -> float:
    return (Rotation.from_euler("xyz", states[:, 3:6]).inv() * Rotation.from_quat(quaternions)).magnitude().max()


def check(episode: Episode, truth: Truth, stamps: float, pixels: float) -> None:
    assert len(episode) == len(truth.stamps)
    since, expected = episode.stamps - episode.stamps[0], truth.stamps - truth.stamps[0]
    np.testing.assert_allclose(since, expected, atol=stamps + 1e-6)
    states = episode.states(episode.stamps)
    np.testing.assert_allclose(states[:, :3], truth.positions, atol=1e-6)
    assert rotation_error(states, truth.quaternions) < 1e-5
    assert np.abs(np.diff(states[:, 3])).max() < 1, "roll stays in one branch"
    np.testing.assert_allclose(states[:, 6], truth.closedness, atol=1e-6)
    images = episode.images(episode.stamps)
    assert images.dtype == np.uint8 and images.shape == truth.images.shape
    assert np.abs(images.astype(float) - truth.images).mean((1, 2, 3)).max() <= pixels


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_gives_back_what_was_recorded(name: str, tmp_path: Path, truths: list[Truth]) -> None:
    write, stamps, pixels = FORMATS[name]
    dataset = open_dataset(write(tmp_path / name, truths))
    assert len(dataset) == 2 and not dataset.skipped
    for episode, truth in zip(dataset, truths, strict=True):
        check(pickle.loads(pickle.dumps(episode)), truth, stamps, pixels)


@pytest.mark.filterwarnings("error::vjepa_mpc.data.DataWarning")
def test_the_npz_of_vjepa2_reads_at_the_rate_that_is_given(tmp_path: Path, truths: list[Truth]) -> None:
    truth, file = truths[0], tmp_path / "trajectory.npz"
    states = np.column_stack([truth.positions, truth.euler, truth.closedness])
    np.savez(file, observations=truth.images[None], states=states[None])
    check(pickle.loads(pickle.dumps(open_dataset(file, {"fps": recordings.RATE})[0])), truth, 1e-6, 0.0)
    with pytest.warns(DataWarning, match="4 frames a second are assumed"):
        assert open_dataset(file)[0].stamps[4] == pytest.approx(1.0)


@pytest.mark.parametrize("format", ["lerobot", "rosbag2"])
def test_what_is_converted_reads_back(format: str, tmp_path: Path, truths: list[Truth]) -> None:
    source = open_dataset(recordings.write_robomimic(tmp_path / "in.hdf5", truths))
    assert convert(source, tmp_path / "out", format) == 2
    back = open_dataset(tmp_path / "out")
    for episode, truth in zip(back, truths, strict=True):
        check(episode, truth, 1e-6, 5.0)


def test_the_order_of_random_access_does_not_matter(tmp_path: Path, truths: list[Truth]) -> None:
    """Also with B-frames, whose order in the file is not that of the pictures."""
    episode = open_dataset(recordings.write_lerobot_v21(tmp_path / "a", truths[:1]))[0]
    everything = episode.images(episode.stamps)
    wanted = np.array([30, 2, 2, 17, 35, 0])
    np.testing.assert_array_equal(episode.images(episode.stamps[wanted]), everything[wanted])


def test_av1_is_decoded(tmp_path: Path, truths: list[Truth]) -> None:
    episode = open_dataset(recordings.write_lerobot_v21(tmp_path / "a", truths[:1], codec="libsvtav1"))[0]
    assert np.abs(episode.images(episode.stamps).astype(float) - truths[0].images).mean() < 5


def test_sampling_goes_by_time(tmp_path: Path, truths: list[Truth]) -> None:
    truth = truths[0]
    episode = open_dataset(recordings.write_robomimic(tmp_path / "in.hdf5", truths))[0]
    stamps, images, states = episode.sample(0.25)
    np.testing.assert_allclose(np.diff(stamps), 0.25)
    time = truth.stamps - truth.stamps[0]
    near = np.abs(time[:, None] - stamps).argmin(axis=0)
    np.testing.assert_array_equal(images, truth.images[near])
    np.testing.assert_allclose(states[:, 0], np.interp(stamps, time, truth.positions[:, 0]), atol=1e-9)


SHARED_FORMS = {
    # Form: greatest difference of position, rotation, closedness, stamps, and mean difference of an episode's pictures.
    "lerobot_v30": (1e-7, 1e-6, 1e-6, 4.8e-3, 2.7),
    "lerobot_v21": (1e-7, 1e-6, 1e-6, 4.8e-3, 2.7),
    "droid_raw": (1e-12, 1e-12, 1e-12, 1e-6, 3.8),
    "rosbag2_mcap": (2.3e-4, 2.3e-3, 0.019, 1e-6, 1.7),
    "rosbag2_sqlite3": (2.3e-4, 2.3e-3, 0.019, 1e-6, 1.7),
    "robomimic.hdf5": (1e-12, 1e-12, 1e-12, 4.8e-3, 0.0),
}


def shared_dataset(form: str) -> Dataset:
    path = SHARED / "data" / "robot" / form
    if not path.exists():
        pytest.skip(f"reference recordings {path} are absent: put the shared folder beside the repository")
    return open_dataset(path)


@pytest.mark.filterwarnings("ignore::vjepa_mpc.data.DataWarning")
@pytest.mark.parametrize("form", SHARED_FORMS)
def test_the_reference_recordings_read_as_the_truth(form: str) -> None:
    position, rotation, closedness, stamps, pixels = SHARED_FORMS[form]
    dataset = shared_dataset(form)
    truth = np.load(SHARED / "data" / "robot" / "truth.npz")
    starts, images = truth["episode_starts"], truth["images"]
    assert len(dataset) == 4
    for number, episode in enumerate(dataset):
        rows = slice(starts[number], starts[number] + len(episode))
        assert starts[number + 1] - starts[number] - len(episode) == (form == "droid_raw" and number == 1)
        states = episode.states(episode.stamps)
        assert np.abs(states[:, :3] - truth["poses"][rows, :3]).max() <= position
        assert rotation_error(states, truth["quaternions"][rows]) <= rotation
        assert np.abs(states[:, 3] - truth["poses"][rows, 3]).max() <= rotation
        assert np.abs(states[:, 6] - truth["closedness"][rows]).max() <= closedness
        time = truth["stamps"][rows] - truth["stamps"][rows][0]
        np.testing.assert_allclose(episode.stamps - episode.stamps[0], time, atol=stamps)
        difference = np.abs(episode.images(episode.stamps).astype(float) - images[rows]).mean()
        assert difference <= pixels
