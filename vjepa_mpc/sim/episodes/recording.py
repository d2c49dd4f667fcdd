"""Training episodes: pictures, measured poses and block poses of an arm that plays with a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from vjepa_mpc.sim.config import SimConfig
from vjepa_mpc.sim.episodes.behaviours import MIX, avoid_pressing
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.look import BASE, GROUPS, Look, draw_look
from vjepa_mpc.sim.moves import down_pose, step_towards

Seed = int | Sequence[int]
_LOOK_ENTROPY = 0x100D  # first word of every training look's entropy; evaluation uses another one
_GROUP_SHARE = 0.6  # probability that a look differs from the usual one in its camera, its light …


@dataclass(frozen=True, kw_only=True)
class EpisodeConfig:
    """What an episode records.

    `image_size` is the side of the stored pictures; the camera renders them at once, or at twice that size to be
    averaged 2 x 2, which is exactly what the planner's bilinear resize makes of a live picture. A step takes a random
    time from `step_seconds`, so that the arm and the fingers are not always quite at rest in a picture. A share of the
    episodes, `look_share`, is seen in a look of its own, the others in the base look.
    """

    image_size: int = 128
    frames: int = 14
    step_seconds: tuple[float, float] = (0.5, 0.8)
    sim: SimConfig = field(default_factory=SimConfig)
    look_share: float = 0.0

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ValueError(f"frames is {self.frames}: an episode needs at least 2")
        low, high = self.step_seconds
        if not 0.0 < low <= high:
            raise ValueError(f"step_seconds is {self.step_seconds}: give a positive range (low, high)")
        if not 0.0 <= self.look_share <= 1.0:
            raise ValueError(f"look_share is {self.look_share}: give a share from 0 to 1")


class Episodes(NamedTuple):
    """Arrays of E episodes with T frames.

    images uint8 [E, T, S, S, 3] RGB; states float32 [E, T, 7], measured poses; blocks float32 [E, T, 7], position and
    quaternion xyzw.
    """

    images: np.ndarray
    states: np.ndarray
    blocks: np.ndarray


def halve(image: np.ndarray) -> np.ndarray:
    """The 2 x 2 mean of a uint8 picture [2S, 2S, 3], rounded: a bilinear resize to half the size."""
    size = image.shape[0] // 2
    total = image.reshape(size, 2, size, 2, 3).sum(axis=(1, 3), dtype=np.uint16)
    return ((total + 2) // 4).astype(np.uint8)


def record_episode(sim: FrankaSim, config: EpisodeConfig, seed: Seed) -> Episodes:
    """One episode, with arrays that lack the axis E; the same seed gives the same episode on one machine."""
    rng = np.random.default_rng(seed)
    if config.look_share:
        sim.set_look(episode_look(seed, config.look_share))
    behaviours, shares = zip(*MIX, strict=True)
    behaviour = behaviours[rng.choice(len(behaviours), p=np.array(shares))]
    commands = behaviour(sim, rng)
    halved = sim.config.image_size != config.image_size
    images, states, blocks = [], [], []
    for frame in range(config.frames):
        if frame > 0:
            position, closedness = next(commands)
            reachable = step_towards(sim.pose, position)[:3]  # what a planner could command
            target = down_pose(avoid_pressing(sim, reachable, closedness))
            sim.execute(target, closedness, seconds=rng.uniform(*config.step_seconds))
        image = sim.render()
        images.append(halve(image) if halved else image)
        states.append(sim.pose)
        blocks.append(sim.block_pose)
    return Episodes(np.stack(images), np.array(states, np.float32), np.array(blocks, np.float32))


def episode_look(seed: Seed, share: float) -> Look:
    """How an episode looks, drawn apart from what happens in it. Most looks differ in several ways, some in one."""
    rng = np.random.default_rng([_LOOK_ENTROPY, *np.atleast_1d(seed)])
    if rng.random() >= share:
        return BASE
    drawn = [group for group in GROUPS if rng.random() < _GROUP_SHARE]
    return draw_look(rng, drawn or [GROUPS[int(rng.integers(len(GROUPS)))]])


def generate_episodes(config: EpisodeConfig, seeds: Sequence[Seed]) -> Episodes:
    """Record one episode a seed. Run it in several processes for speed: each builds its own simulator.

    Raises:
        RenderBackendError: nothing here can draw; the message says what to install.
    """
    sim_config = replace(config.sim, image_size=2 * config.image_size)
    with FrankaSim(sim_config) as sim:
        recorded = [record_episode(sim, config, seed) for seed in seeds]
    return Episodes(*(np.stack(arrays) for arrays in zip(*recorded, strict=True)))
