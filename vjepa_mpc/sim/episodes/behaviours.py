"""How the arm moves while training episodes are recorded.

A behaviour is a function that sets up the simulator and returns an endless iterator of commands; each command is a
position [3] for the gripper and a closedness. It is drawn from only after the previous command was carried out, so that
behaviours can react to the measured state, as a planner does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from vjepa_mpc.sim.drawing import sample_block
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.moves import MAX_STEP, down_pose
from vjepa_mpc.sim.scene import yaw_quaternion
from vjepa_mpc.sim.tasks.pick_place import GRASP_HEIGHT, PickPlaceTask

Command = tuple[np.ndarray, float]
Behaviour = Callable[[FrankaSim, np.random.Generator], Iterator[Command]]

BLOCK_YAW = math.radians(20.0)
_CLEAR_OF_BLOCK = 0.066  # height of the tool centre point at which the fingertips pass over a block
_FINGER_WIDTH = 0.028  # from a finger's inner face outwards
_PAD_GAP = 0.003  # between the pads of a fully closed hand


def random_walk(sim: FrankaSim, rng: np.random.Generator) -> Iterator[Command]:
    """Smooth random motion through the workspace at any scale, with gripper toggles."""
    closedness = float(rng.integers(2))
    _start_free(sim, rng, closedness)
    return _walk(sim, rng, closedness, scale=_log_uniform(rng, 0.004, 0.06), toggle=0.15)


def random_goals(sim: FrankaSim, rng: np.random.Generator) -> Iterator[Command]:
    """Straight to random places with steps as long as allowed, then small corrections: what reaching looks like."""
    closedness = float(rng.integers(2))
    _start_free(sim, rng, closedness)
    return _visit_goals(sim, rng, closedness)


def noisy_pick_place(sim: FrankaSim, rng: np.random.Generator) -> Iterator[Command]:
    """The pick-and-place script with noise of its own strength, begun at a random phase."""
    task = PickPlaceTask.sample(rng, sim.config.workspace, max_yaw=BLOCK_YAW)
    phases = task.script()
    first = int(rng.integers(len(phases)))
    if first == 0:
        task.start(sim)
    else:
        before, now = phases[first - 1], phases[first]
        start = _inside(sim, before.position + rng.normal(0.0, 0.006, 3))
        if before.closedness > 0.5:
            _start_holding(sim, rng, start)
        else:
            lies = task.block_position if first <= 2 else task.target_position
            free = before.closedness == now.closedness or first == 2
            start[1] = lies[1] + rng.uniform(-0.008, 0.008) if start[2] < _CLEAR_OF_BLOCK and free else start[1]
            sim.reset(pose=down_pose(start), block_position=lies, block_yaw=_yaw(rng))
    return _follow(sim, rng, task, first)


def carry(sim: FrankaSim, rng: np.random.Generator) -> Iterator[Command]:
    """Random motion with the block in the hand; now and then it is put down or dropped."""
    _start_holding(sim, rng, rng.uniform(sim.config.workspace.low, sim.config.workspace.high))
    return _walk(sim, rng, 1.0, scale=_log_uniform(rng, 0.006, 0.06), toggle=0.05)


def near_block(sim: FrankaSim, rng: np.random.Generator) -> Iterator[Command]:
    """Small moves and many toggles around the block: grasps, near misses, pushes."""
    block = sample_block(rng, sim.config.workspace)
    offset = np.array([*rng.normal(0.0, 0.02, 2), rng.uniform(GRASP_HEIGHT, 0.12)])
    start = _inside(sim, np.array([*block, 0.0]) + offset)
    if start[2] < _CLEAR_OF_BLOCK:
        start[1] = block[1] + rng.uniform(-0.008, 0.008)  # the open fingers on both sides
    sim.reset(pose=down_pose(start), block_position=block, block_yaw=_yaw(rng))
    return _walk(sim, rng, 0.0, scale=_log_uniform(rng, 0.003, 0.025), toggle=0.3, home=np.array([*block, 0.045]))


# What share of the episodes each behaviour makes.
MIX: tuple[tuple[Behaviour, float], ...] = (
    (random_walk, 0.15),
    (random_goals, 0.15),
    (noisy_pick_place, 0.40),
    (carry, 0.15),
    (near_block, 0.15),
)


def avoid_pressing(sim: FrankaSim, position: np.ndarray, closedness: float) -> np.ndarray:
    """Lift a target [3] that would lower fingers onto the block; sideways pushes at low height stay as they are."""
    block, pose = sim.block_pose, sim.pose
    half = sim.block_size / 2
    lying = abs(block[2] - half) < 0.01
    if not lying or pose[2] < _CLEAR_OF_BLOCK - 0.01 or position[2] >= _CLEAR_OF_BLOCK:
        return position
    dx, dy = np.abs(position[:2] - block[:2])
    opening = min(sim.closedness, closedness) if closedness < 0.5 else 1.0
    inner = 0.04 * (1.0 - opening)
    straddles = dy + half + 0.004 < inner
    misses = dx > half + 0.02 or dy > inner + _FINGER_WIDTH + half + 0.008
    return position if straddles or misses else np.array([*position[:2], _CLEAR_OF_BLOCK])


def _walk(
    sim: FrankaSim,
    rng: np.random.Generator,
    closedness: float,
    *,
    scale: float,
    toggle: float,
    home: np.ndarray | None = None,
) -> Iterator[Command]:
    momentum = rng.uniform(0.0, 0.8)
    velocity = rng.normal(0.0, scale, 3)
    while True:
        velocity = momentum * velocity + math.sqrt(1 - momentum**2) * rng.normal(0.0, scale, 3)
        start = sim.pose[:3]
        pull = np.zeros(3) if home is None else 0.15 * (home - start)
        wanted = start + np.clip(velocity + pull, -MAX_STEP, MAX_STEP)
        position = _inside(sim, wanted)
        velocity = np.where(wanted == position, velocity, -velocity)  # bounce off the workspace's walls
        if rng.random() < toggle:
            closedness = _toggled(rng, closedness)
            if rng.random() < 0.5:
                position = start
        yield position, closedness


def _visit_goals(sim: FrankaSim, rng: np.random.Generator, closedness: float) -> Iterator[Command]:
    box = sim.config.workspace
    while True:
        goal = rng.uniform(box.low, box.high)
        longest = rng.uniform(0.04, MAX_STEP)
        error = _log_uniform(rng, 0.002, 0.02)
        for _ in range(8):
            start = sim.pose[:3]
            yield _inside(sim, start + np.clip(goal - start, -longest, longest) + rng.normal(0.0, error, 3)), closedness
            if np.linalg.norm(sim.pose[:3] - goal) < 2 * error:
                break
        for _ in range(int(rng.integers(0, 4))):
            yield _inside(sim, sim.pose[:3] + rng.normal(0.0, _log_uniform(rng, 0.002, 0.015), 3)), closedness
        if rng.random() < 0.4:
            closedness = _toggled(rng, closedness)
            yield sim.pose[:3], closedness


def _follow(sim: FrankaSim, rng: np.random.Generator, task: PickPlaceTask, first: int) -> Iterator[Command]:
    noise = float(rng.choice([0.001, 0.003, 0.006, 0.012]))
    for phase in task.script()[first:]:
        longest = MAX_STEP if rng.random() < 0.6 else rng.uniform(0.02, MAX_STEP)
        for _ in range(phase.steps):
            start = sim.pose[:3]
            step = np.clip(phase.position - start, -longest, longest) + rng.normal(0.0, noise, 3)
            yield _inside(sim, start + step), phase.closedness
            arrived = np.linalg.norm(sim.pose[:3] - phase.position) < 0.004 + 2 * noise
            if arrived and rng.random() < 0.8:
                break
    yield from _visit_goals(sim, rng, task.script()[-1].closedness)


def _start_free(sim: FrankaSim, rng: np.random.Generator, closedness: float) -> None:
    """Anywhere in the workspace but where hand and block would overlap."""
    box = sim.config.workspace
    block = sample_block(rng, box)
    start = rng.uniform(box.low, box.high)
    if np.linalg.norm(start[:2] - block) < 0.12:
        start[2] = max(start[2], _CLEAR_OF_BLOCK)
    sim.reset(pose=down_pose(start, closedness), block_position=block, block_yaw=_yaw(rng))


def _start_holding(sim: FrankaSim, rng: np.random.Generator, position: np.ndarray) -> None:
    size = sim.block_size
    start = _inside(sim, np.array([*position[:2], max(position[2], GRASP_HEIGHT)]))
    block = start + np.array([rng.uniform(-0.012, 0.012), 0.0, rng.uniform(-0.008, 0.004)])
    block[2] = max(block[2], size / 2 + 0.0005)
    quaternion = np.roll(yaw_quaternion(rng.normal(0.0, 0.01)), -1)
    closedness = 1.0 - (size - _PAD_GAP) / 0.08
    sim.reset(pose=down_pose(start, closedness), block_pose=np.concatenate([block, quaternion]), squeeze=True)


def _inside(sim: FrankaSim, position: np.ndarray) -> np.ndarray:
    return sim.config.workspace.clip(position)


def _toggled(rng: np.random.Generator, closedness: float) -> float:
    """The opposite; seldom something in between, which pictures of moving fingers show."""
    return float(rng.uniform()) if rng.random() < 0.12 else float(closedness < 0.5)


def _yaw(rng: np.random.Generator) -> float:
    return float(rng.uniform(-BLOCK_YAW, BLOCK_YAW))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
