"""Training data from the simulator: seeded, in parallel processes, shard by shard, resumable."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool
from pathlib import Path

from vjepa_mpc.training.config import DataConfig
from vjepa_mpc.training.dataset import present_shards, remove_partial, shard_folder, write_shard

#: First word of every training episode's entropy; evaluation uses another one, so that no episode is ever shared.
TRAINING_ENTROPY = 0x7EA1
_LOOK_PERIOD = 0.5  # seconds between looks whether the run is to end

Task = tuple[Path, int, DataConfig, int]


def shard_counts(config: DataConfig) -> tuple[int, int]:
    """Shards for validation (they come first) and for training."""
    return tuple(  # type: ignore[return-value]
        math.ceil(count / config.shard_episodes) for count in (config.validation_episodes, config.episodes)
    )


def episode_seeds(seed: int, first: int, count: int) -> list[list[int]]:
    """Entropy of episodes `first … first + count - 1` of the data set `seed`."""
    return [[TRAINING_ENTROPY, seed, episode] for episode in range(first, first + count)]


def _generate_shard(task: Task) -> int:
    folder, index, config, image_size = task
    # The software renderer would start a thread a core in every process.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    from vjepa_mpc.sim.episodes.recording import EpisodeConfig, generate_episodes

    episodes = config.shard_episodes
    seeds = episode_seeds(config.seed, index * episodes, episodes)
    arrays = generate_episodes(EpisodeConfig(image_size=image_size, look_share=config.look_share), seeds)
    write_shard(shard_folder(folder, index), *arrays)
    return index


def generate_missing(
    folder: Path,
    config: DataConfig,
    image_size: int,
    report: Callable[[int, int], None] = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Generate the shards that a folder of simulated data lacks.

    Args:
        folder: data folder; it exists.
        config: number of episodes, seed and processes.
        image_size: side of the images in pixels.
        report: called with the shards done and their total number.
        stopped: whether to end early; the shards that are done are kept.

    Returns:
        Whether all are there now.

    Raises:
        WriteError: a shard could not be written. Those before it are kept.
    """
    total = sum(shard_counts(config))
    missing = sorted(set(range(total)) - set(present_shards(folder)))
    if not missing:
        return True
    tasks = [(folder, index, config, image_size) for index in missing]
    done = 0
    report(total - len(missing), total)
    try:
        with _workers(min(config.processes, len(tasks))) as pool:
            results = pool.imap_unordered(_generate_shard, tasks)
            while done < len(tasks):
                if stopped():
                    return False
                try:
                    results.next(_LOOK_PERIOD)
                except multiprocessing.TimeoutError:
                    continue
                done += 1
                report(total - len(missing) + done, total)
    finally:
        remove_partial(folder)
    return True


@contextmanager
def _workers(count: int) -> Iterator[Pool]:
    """Processes that leave Ctrl-C to this one, which ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a new process inherits
    try:
        # "spawn": an OpenGL context and MuJoCo do not survive a fork.
        pool = multiprocessing.get_context("spawn").Pool(count)
    finally:
        signal.signal(signal.SIGINT, before)
    with pool:
        yield pool
        pool.terminate()
        pool.join()
