"""The work that is watched: two blocks are brought to their places, then the hand touches a point, as inspectors do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vjepa_mpc.sim.config import Block, SimConfig
from vjepa_mpc.sim.look import BASE, Distractor, Look, SurfaceLook
from vjepa_mpc.sim.tasks.pick_place import GRASP_HEIGHT

STEPS = ("place red", "place green", "inspect")
HOME = np.array([0.52, 0.0, 0.20])
PAUSES = ("closed", "opened", "touched")  # moves in which only the fingers work, or nothing
_CARRY = 0.13  # metres: above everything that lies on the table
_PLACES = {"place red": ((0.44, -0.09), (0.44, 0.08)), "place green": ((0.60, -0.09), (0.60, 0.08))}
_TOUCH = (0.52, 0.0, 0.06)
_SPREAD = 0.004  # metres, standard deviation of each place from run to run
_RUN_PACE, _MOVE_PACE = 0.06, 0.07  # standard deviations of the logarithm of durations
_GREEN = (0.15, 0.60, 0.20)
_FIXTURES = (Distractor(shape="box", color=(0.2, 0.25, 0.55), size=0.022, position=(0.42, 0.20), yaw=0.4),)


@dataclass(frozen=True, kw_only=True, eq=False)
class Move:
    """A stretch of the work: where to, with which gripper, how long.

    Attributes:
        step: of :data:`STEPS`, or "home".
        name: in words.
        position: [3] metres, where it ends.
        closedness: commanded, 0 open … 1 closed.
        seconds: it takes.
    """

    step: str
    name: str
    position: np.ndarray
    closedness: float
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where things are in one run: step -> (from [2], to [2]) in metres, and how the blocks are turned (radians)."""

    places: dict[str, tuple[np.ndarray, np.ndarray]]
    touch: np.ndarray
    yaws: tuple[float, float]


def sim_config(image_size: int) -> SimConfig:
    """The scene of the work: a red block and a green one."""
    (red, _), (green, _) = (_PLACES[step] for step in STEPS[:2])
    return SimConfig(
        image_size=image_size,
        timestep=0.004,
        block=Block(position=red),
        other_blocks=(Block(position=green, color=_GREEN),),
    )


def usual_look(seed: int) -> Look:
    """How the work looks when nothing is wrong: a table with a grain, a fixture."""
    surface = SurfaceLook(texture="wood", table_second=(0.52, 0.50, 0.46), texture_scale=3.0)
    return replace(BASE, surface=surface, distractors=_FIXTURES, seed=seed)


def draw_layout(rng: np.random.Generator) -> Layout:
    """Places as they vary from run to run."""
    places = {
        step: (np.array(start) + rng.normal(0, _SPREAD, 2), np.array(goal) + rng.normal(0, _SPREAD, 2))
        for step, (start, goal) in _PLACES.items()
    }
    yaws = rng.normal(0.0, 0.05, 2)
    return Layout(
        places=places, touch=np.array(_TOUCH) + rng.normal(0, _SPREAD, 3), yaws=(float(yaws[0]), float(yaws[1]))
    )


def script(layout: Layout, rng: np.random.Generator, order: tuple[str, ...] = STEPS) -> list[Move]:
    """The moves of a run with its own pace, in any order of steps."""
    moves = [move for step in order for move in _moves_of(step, layout)]
    moves.append(Move(step="home", name="home", position=HOME, closedness=0.0, seconds=1.2))
    pace = rng.normal(0.0, _RUN_PACE)
    return [replace(move, seconds=move.seconds * float(np.exp(pace + rng.normal(0, _MOVE_PACE)))) for move in moves]


def _moves_of(step: str, layout: Layout) -> list[Move]:
    if step == "inspect":
        above = np.array([*layout.touch[:2], _CARRY])
        course = [("above point", above, 0.0, 1.0), ("touched", layout.touch, 0.0, 0.9), ("lifted", above, 0.0, 0.8)]
    else:
        start, goal = layout.places[step]
        above_start, above_goal = np.array([*start, _CARRY]), np.array([*goal, _CARRY])
        low_start, low_goal = np.array([*start, GRASP_HEIGHT]), np.array([*goal, GRASP_HEIGHT])
        course = [
            ("above block", above_start, 0.0, 1.0),
            ("at block", low_start, 0.0, 0.8),
            ("closed", low_start, 1.0, 0.5),
            ("lifted", above_start, 1.0, 0.7),
            ("carried", above_goal, 1.0, 1.2),
            ("put down", low_goal, 1.0, 0.8),
            ("opened", low_goal, 0.0, 0.5),
            ("retreated", above_goal, 0.0, 0.7),
        ]
    return [Move(step=step, name=name, position=at, closedness=grip, seconds=t) for name, at, grip, t in course]
