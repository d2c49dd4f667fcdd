"""Training data from the simulator: seeded, in parallel processes, shard by shard, resumable."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

from vjepa_mpc.training.config import DataConfig
from vjepa_mpc.training.dataset import shard_folder, write_shard

#: First word of every training episode's entropy; evaluation uses another one, so that no episode is ever shared.
TRAINING_ENTROPY = 0x7EA1

Task = tuple[Path, int, int, int, int]


def shard_counts(config: DataConfig) -> tuple[int, int]:
    """Shards for validation (they come first) and for training."""
    return tuple(  # type: ignore[return-value]
        math.ceil(count / config.shard_episodes) for count in (config.validation_episodes, config.episodes)
    )


def episode_seeds(seed: int, first: int, count: int) -> list[list[int]]:
    """Entropy of episodes `first … first + count - 1` of the data set `seed`."""
    return [[TRAINING_ENTROPY, seed, episode] for episode in range(first, first + count)]


def _generate_shard(task: Task) -> int:
    folder, index, seed, episodes, image_size = task
    # The software renderer would start a thread a core in every process.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    from vjepa_mpc.sim.episodes.recording import EpisodeConfig, generate_episodes

    config = EpisodeConfig(image_size=image_size)
    arrays = generate_episodes(config, episode_seeds(seed, index * episodes, episodes))
    write_shard(shard_folder(folder, index), *arrays)
    return index


def generate_missing(
    folder: Path, config: DataConfig, image_size: int, report: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Generate the shards that the data folder lacks.

    Args:
        folder: data folder, created if absent.
        config: number of episodes, seed and processes.
        image_size: side of the images in pixels.
        report: called with the shards done and their total number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(shard_counts(config))
    missing = [index for index in range(total) if not shard_folder(folder, index).is_dir()]
    if not missing:
        return
    tasks = [(folder, index, config.seed, config.shard_episodes, image_size) for index in missing]
    report(total - len(missing), total)
    # "spawn": an OpenGL context and MuJoCo do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(min(config.processes, len(tasks))) as pool:
        for done, _ in enumerate(pool.imap_unordered(_generate_shard, tasks), start=1):
            report(total - len(missing) + done, total)
