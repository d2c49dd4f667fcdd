"""Shards on disk and the clips drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.training.config import DataConfig
from vjepa_mpc.training.dataset import EpisodeDataset, measured_actions, shard_folder, write_shard
from vjepa_mpc.training.generate import TRAINING_ENTROPY, episode_seeds, shard_counts

FRAMES = 5


def _arrays(episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (episodes, FRAMES, 8, 8, 3), dtype=np.uint8)
    states = rng.uniform(0.3, 0.6, (episodes, FRAMES, 7)).astype(np.float32)
    states[..., 3:6] = [np.pi, 0.0, 0.0]
    return images, states, rng.uniform(0.3, 0.6, (episodes, FRAMES, 7)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, episodes in enumerate((3, 2)):
        write_shard(shard_folder(tmp_path, index), *_arrays(episodes, index))
    return tmp_path


def test_clips_come_from_the_right_shard_and_frames(folder: Path) -> None:
    data = EpisodeDataset.open(folder)
    images, states, blocks = _arrays(2, 1)
    clips = data.clips(np.array([4]), np.array([2]), 3)
    assert data.episodes == 5 and data.frames == FRAMES and data.image_size == 8
    assert np.array_equal(clips.images[0], images[1, 2:5])
    assert np.array_equal(clips.states[0], states[1, 2:5])
    assert np.array_equal(clips.blocks[0], blocks[1, 2:5])
    assert np.allclose(clips.actions[0, :, :3], np.diff(states[1, 2:5, :3], axis=0), atol=1e-6)


def test_sampling_is_seeded_and_uses_different_episodes(folder: Path) -> None:
    data = EpisodeDataset.open(folder)
    first, second = (data.sample(np.random.default_rng(3), 5, 2) for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert len({state.tobytes() for state in first.states}) == 5
    with pytest.raises(ValueError, match="6 frames do not fit"):
        data.sample(np.random.default_rng(0), 1, 6)


def test_opening_a_part_and_missing_shards(folder: Path) -> None:
    assert EpisodeDataset.open(folder, 1, 1).episodes == 2
    with pytest.raises(FileNotFoundError, match="shard_00002"):
        EpisodeDataset.open(folder, 1, 2)
    with pytest.raises(FileNotFoundError, match="generate the data"):
        EpisodeDataset.open(folder / "nowhere")


def test_damaged_arrays_are_refused() -> None:
    images, states, blocks = _arrays(2, 0)
    with pytest.raises(ValueError, match="do not fit"):
        EpisodeDataset([images], states[:1], blocks[:1])
    states[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        EpisodeDataset([images], states, blocks)


def test_actions_of_a_gripper_that_points_down_do_not_jump() -> None:
    states = np.zeros((1, 2, 7), np.float32)
    states[0, :, 3] = [np.pi - 0.01, np.pi + 0.01]
    assert measured_actions(states)[0, 0, 3] == pytest.approx(0.02, abs=1e-6)


def test_seeds_differ_between_episodes_and_from_the_evaluation() -> None:
    from vjepa_mpc.evaluation.episodes import EVALUATION_ENTROPY

    seeds = episode_seeds(0, 10, 3)
    assert [entropy[2] for entropy in seeds] == [10, 11, 12]
    assert TRAINING_ENTROPY != EVALUATION_ENTROPY
    assert shard_counts(DataConfig(episodes=130, validation_episodes=64, shard_episodes=64)) == (1, 3)
