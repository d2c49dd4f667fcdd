"""Drawing starts and goals that fit together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vjepa_mpc.sim.config import Workspace

BLOCK_YAW = math.pi / 12  # the gripper does not turn, so blocks lie within 15 degrees of it
CARRY_HEIGHT = 0.13  # metres: above everything that lies on the table

_CLEARANCE = 0.09  # metres around a block that a passing gripper keeps
_MAX_DRAWS = 10_000


def draw_until(
    draw: Callable[[], tuple[np.ndarray, ...]], accept: Callable[..., bool | np.bool_]
) -> tuple[np.ndarray, ...]:
    """The first draw that is accepted.

    Raises:
        ValueError: none in 10 000.
    """
    for _ in range(_MAX_DRAWS):
        drawn = draw()
        if accept(*drawn):
            return drawn
    raise ValueError(f"no fitting start and goal in {_MAX_DRAWS} draws: choose a larger workspace")


def sample_block(rng: np.random.Generator, box: Workspace) -> np.ndarray:
    """A place on the table [2] around which the gripper can still work."""
    return rng.uniform(np.add(box.low[:2], 0.03), np.subtract(box.high[:2], 0.03))


def sample_yaw(rng: np.random.Generator, most: float = BLOCK_YAW) -> float:
    """How a block is turned, radians."""
    return float(rng.uniform(-most, most))


def passes_clear(start: np.ndarray, goal: np.ndarray, block: np.ndarray) -> bool:
    """Whether the straight way from start to goal [3] stays above the block [2] or well beside it."""
    way = start + np.linspace(0.0, 1.0, 9)[:, None] * (goal - start)
    beside = np.linalg.norm(way[:, :2] - block, axis=1) > _CLEARANCE
    return bool(np.all(beside | (way[:, 2] > CARRY_HEIGHT - 0.03)))
