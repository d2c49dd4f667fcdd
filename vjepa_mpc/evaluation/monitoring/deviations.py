"""What goes wrong in a run, and what a monitor should call it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vjepa_mpc.evaluation.monitoring.work import PAUSES, STEPS, Layout, Move, script
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.look import CameraLook, Distractor, LightLook

# What goes wrong: the class that it should be given.
NAMES: dict[str, str] = {
    "dropped": "OBJECT_LOST",
    "wrong order": "WRONG_ORDER",
    "step skipped": "STEP_SKIPPED",
    "twice as fast": "TOO_FAST",
    "half as fast": "TOO_SLOW",
    "stuck": "STUCK",
    "foreign object": "UNKNOWN_STATE",
    "other colour": "UNKNOWN_STATE",
    "camera bumped": "CAMERA_MOVED",
    "light switched": "IMAGE_BAD",
    "frozen or blurred": "IMAGE_BAD",
}
KINDS = tuple(NAMES)
_BLOCKS = ("block", "block2")
_OTHER_COLOURS = ((0.12, 0.25, 0.80), (0.90, 0.75, 0.10), (0.60, 0.15, 0.65), (0.90, 0.90, 0.90))
_STUCK_SECONDS = 6.0
_FREE_PLACES = ((0.52, -0.10), (0.52, 0.10), (0.66, 0.0), (0.56, 0.20), (0.66, 0.16), (0.70, -0.10))
_FOREIGN_COLOURS = ((0.85, 0.55, 0.10), (0.15, 0.15, 0.15), (0.85, 0.85, 0.85), (0.20, 0.55, 0.80))
_TOWARDS_CAMERA = np.array([0.84, 0.55])


class Disturbance:
    """Something that happens to the scene or to the pictures from a moment on."""

    def __init__(
        self,
        onset: float,
        change: Callable[[FrankaSim], None] | None = None,
        restore: Callable[[FrankaSim], None] | None = None,
        blur: float = 0.0,
        freeze: bool = False,
    ) -> None:
        self.onset, self._change, self._restore = onset, change, restore
        self._blur, self._freeze = blur, freeze
        self._begun = False
        self._frozen: np.ndarray | None = None

    def due(self, now: float) -> bool:
        """Whether it has to begin at this moment of the run, in seconds."""
        return not self._begun and now >= self.onset

    def begin(self, sim: FrankaSim) -> None:
        """Let it happen."""
        self._begun = True
        if self._change is not None:
            self._change(sim)

    def end(self, sim: FrankaSim) -> None:
        """Leave the simulator as it was."""
        if self._restore is not None:
            self._restore(sim)

    def spoil(self, picture: np.ndarray, now: float) -> np.ndarray:
        """The picture uint8 [H, W, 3] that the camera sends instead."""
        if now < self.onset:
            return picture
        if self._freeze:
            self._frozen = picture if self._frozen is None else self._frozen
            return self._frozen
        return cv2.GaussianBlur(picture, (0, 0), self._blur) if self._blur else picture


@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """A run before it is recorded: its moves, what happens in it, when that begins (NaN: never), the step's length."""

    moves: list[Move]
    disturbance: Disturbance | None = None
    onset: float = math.nan
    step_seconds: float = math.nan


def plan(kind: str, layout: Layout, rng: np.random.Generator) -> Planned:
    """A run of a kind, or a normal one.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "normal":
        return Planned(moves=script(layout, rng))
    if kind not in KINDS:
        raise ValueError(f"{kind!r}: the kinds are normal, {', '.join(KINDS)}")
    if kind in ("wrong order", "step skipped"):
        return _other_order(kind, layout, rng)
    moves = script(layout, rng)
    if kind in ("twice as fast", "half as fast", "stuck"):
        return _other_pace(kind, moves, rng)
    onset = 0.0 if kind == "other colour" else _moment(moves, rng, carried=kind == "dropped")
    return Planned(
        moves=moves,
        disturbance=_disturbance(kind, onset, moves, rng),
        onset=onset,
        step_seconds=_step_seconds(moves, _step_at(moves, onset)),
    )


def _other_order(kind: str, layout: Layout, rng: np.random.Generator) -> Planned:
    red, green, inspect = STEPS
    orders = {
        "wrong order": ((green, red, inspect), (red, inspect, green)),
        "step skipped": ((green, inspect), (red, inspect)),
    }[kind]
    order = orders[int(rng.integers(len(orders)))]
    moves = script(layout, rng, order)
    first = next(index for index, step in enumerate(order) if step != STEPS[index])
    onset = _start_of(moves, order[first])
    return Planned(moves=moves, onset=onset, step_seconds=_step_seconds(moves, order[first]))


def _other_pace(kind: str, moves: list[Move], rng: np.random.Generator) -> Planned:
    step = STEPS[int(rng.integers(2))]
    onset, seconds = _start_of(moves, step), _step_seconds(moves, step)
    if kind == "stuck":
        inside = [index for index, move in enumerate(moves) if move.step == step and move.name not in PAUSES]
        index = inside[int(rng.integers(len(inside)))]
        stop = moves[index]
        still = replace(stop, name="stuck", seconds=_STUCK_SECONDS)
        onset = sum(move.seconds for move in moves[: index + 1])
        return Planned(moves=[*moves[: index + 1], still], onset=onset, step_seconds=seconds)
    factor = 0.5 if kind == "twice as fast" else 2.0
    paced = [replace(move, seconds=move.seconds * factor) if move.step == step else move for move in moves]
    return Planned(moves=paced, onset=onset, step_seconds=seconds)


def _disturbance(kind: str, onset: float, moves: list[Move], rng: np.random.Generator) -> Disturbance:
    if kind == "dropped":
        return _drop(onset, STEPS.index(_step_at(moves, onset)) + 1, rng)
    if kind == "foreign object":
        return _foreign(onset, rng)
    if kind == "other colour":
        return _other_colour(_BLOCKS[int(rng.integers(2))], _OTHER_COLOURS[int(rng.integers(len(_OTHER_COLOURS)))])
    if kind == "camera bumped":
        side = float(rng.choice([-3.0, 3.0]))
        camera = CameraLook(turn=side) if rng.random() < 0.5 else CameraLook(roll=side)
        return Disturbance(onset, lambda sim: _show(sim, camera=camera))
    if kind == "light switched":
        lights = (LightLook(strength=0.1), LightLook(strength=1.8, ambient=1.2), LightLook(exposure=0.7))
        light = lights[int(rng.integers(len(lights)))]
        return Disturbance(onset, lambda sim: _show(sim, light=light))
    freeze = bool(rng.random() < 0.5)
    return Disturbance(onset, freeze=freeze, blur=0.0 if freeze else 1.5)


def _show(sim: FrankaSim, **changes: object) -> None:
    sim.set_look(replace(sim.look, **changes))  # type: ignore[arg-type]


def _drop(onset: float, block: int, rng: np.random.Generator) -> Disturbance:
    """The block is knocked out of the hand and lies on the table a little aside."""
    aside = rng.uniform(0.05, 0.08) * np.array([1.0, 0.0]) * rng.choice([-1.0, 1.0])

    def knock(sim: FrankaSim) -> None:
        place = sim.pose[:2] + aside
        sim.move_block(np.array([*place, sim.block_size / 2, 0.0, 0.0, 0.0, 1.0]), number=block)

    return Disturbance(onset, knock)


def _other_colour(block: str, colour: tuple[float, float, float]) -> Disturbance:
    before: list[np.ndarray] = []

    def paint(sim: FrankaSim) -> None:
        before.append(sim.model.geom(block).rgba.copy())
        sim.model.geom(block).rgba[:3] = colour

    def restore(sim: FrankaSim) -> None:
        if before:
            sim.model.geom(block).rgba[:] = before[0]

    return Disturbance(0.0, paint, restore)


def _foreign(onset: float, rng: np.random.Generator) -> Disturbance:
    """Something appears on a free part of the table, where the hand does not hide it."""
    places = rng.permutation(_FREE_PLACES) + rng.normal(0.0, 0.008, 2)
    thing = Distractor(
        shape=("box", "sphere", "cylinder", "capsule")[int(rng.integers(4))],
        color=_FOREIGN_COLOURS[int(rng.integers(len(_FOREIGN_COLOURS)))],
        size=float(rng.uniform(0.014, 0.024)),
        position=(0.0, 0.0),
    )

    def appear(sim: FrankaSim) -> None:
        from_hand = places - sim.pose[:2]
        seen = (np.linalg.norm(from_hand, axis=1) > 0.13) & (from_hand @ _TOWARDS_CAMERA > -0.05)
        x, y = places[int(np.argmax(seen))]
        _show(sim, distractors=(*sim.look.distractors, replace(thing, position=(float(x), float(y)))))

    return Disturbance(onset, appear)


def _moment(moves: list[Move], rng: np.random.Generator, *, carried: bool) -> float:
    """A moment in the work: while a block is carried, or anywhere in the steps but their first and last second."""
    ends = np.cumsum([move.seconds for move in moves])
    if not carried:
        return float(rng.uniform(1.0, ends[-2] - 1.5))
    carries = [index for index, move in enumerate(moves) if move.name == "carried"]
    index = carries[int(rng.integers(len(carries)))]
    return float(ends[index] - moves[index].seconds * rng.uniform(0.2, 0.9))


def _start_of(moves: list[Move], step: str) -> float:
    first = next(index for index, move in enumerate(moves) if move.step == step)
    return float(sum(move.seconds for move in moves[:first]))


def _step_seconds(moves: list[Move], step: str) -> float:
    return float(sum(move.seconds for move in moves if move.step == step))


def _step_at(moves: list[Move], moment: float) -> str:
    ends = np.cumsum([move.seconds for move in moves])
    return moves[int(np.searchsorted(ends, moment))].step
