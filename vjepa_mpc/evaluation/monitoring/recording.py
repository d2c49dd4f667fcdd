"""Runs of the work in the simulator, with what goes wrong in them, as a camera and the arm tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.evaluation.monitoring.deviations import KINDS, Disturbance, plan
from vjepa_mpc.evaluation.monitoring.work import HOME, STEPS, Move, draw_layout, usual_look
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.sim.scene import yaw_quaternion

RATE = 5.0  # pictures a second
_COMMANDS = 4  # set-points between two pictures
_NOISE = 1.5  # grey levels, standard deviation of each pixel
_NORMAL = len(KINDS)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimRun:
    """One run as it was recorded.

    Attributes:
        kind: of :data:`~vjepa_mpc.evaluation.monitoring.deviations.KINDS`, or "normal".
        seed: it was drawn from.
        stamps: float64 [T] seconds.
        images: uint8 RGB [T, 128, 128, 3].
        states: float32 [T, 7].
        onset: seconds at which it begins to go wrong; NaN in a normal run.
        step_seconds: what the step in which it goes wrong usually takes.
    """

    kind: str
    seed: int
    stamps: np.ndarray
    images: np.ndarray
    states: np.ndarray
    onset: float
    step_seconds: float


def record(sim: FrankaSim, kind: str, seed: int) -> SimRun:
    """Record one run; the same kind and seed give the same run on one machine."""
    rng = np.random.default_rng([seed, KINDS.index(kind) if kind in KINDS else _NORMAL])
    layout = draw_layout(rng)
    planned = plan(kind, layout, rng)
    sim.set_look(usual_look(seed))
    (red, _), (green, _) = (layout.places[step] for step in STEPS[:2])
    sim.reset(pose=down_pose(HOME), block_position=red, block_yaw=layout.yaws[0])
    sim.move_block(np.array([*green, sim.block_size / 2, *np.roll(yaw_quaternion(layout.yaws[1]), -1)]), number=2)
    disturbance = planned.disturbance
    images, states = [], []
    try:
        for index, (position, closedness) in enumerate(_set_points(planned.moves)):
            now = index / (RATE * _COMMANDS)
            if disturbance is not None and disturbance.due(now):
                disturbance.begin(sim)
            if index % _COMMANDS == 0:
                images.append(_seen(sim, rng, disturbance, now))
                states.append(sim.pose)
            sim.command(down_pose(position), closedness)
            sim.step(1.0 / (RATE * _COMMANDS))
    finally:
        if disturbance is not None:
            disturbance.end(sim)
    return SimRun(
        kind=kind,
        seed=seed,
        stamps=np.arange(len(images)) / RATE,
        images=np.stack(images),
        states=np.array(states, np.float32),
        onset=planned.onset,
        step_seconds=planned.step_seconds,
    )


def _set_points(moves: list[Move]) -> Iterator[tuple[np.ndarray, float]]:
    """Positions [3] and closedness, `RATE` x `_COMMANDS` a second, with minimum jerk in each move."""
    start, clock, ends = HOME, 0.0, 0.0
    for move in moves:
        begins, ends = ends, ends + move.seconds
        while clock < ends:
            share = (clock - begins) / move.seconds
            smooth = share**3 * (10 - 15 * share + 6 * share**2)
            yield start + smooth * (move.position - start), move.closedness
            clock += 1.0 / (RATE * _COMMANDS)
        start = move.position


def _seen(sim: FrankaSim, rng: np.random.Generator, disturbance: Disturbance | None, now: float) -> np.ndarray:
    picture = sim.render()
    noise = _NOISE * rng.standard_normal(picture.shape, np.float32)
    picture = np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)
    return picture if disturbance is None else disturbance.spoil(picture, now)
