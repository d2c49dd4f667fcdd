"""Stretches of recordings: what the arm did and what the camera saw before and after; and which ones are looked at."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vjepa_mpc.data import Episode
from vjepa_mpc.data.steps import clip_starts, sample_stamps
from vjepa_mpc.geometry.pose import check_poses, pose_difference

SHORTEST = 0.01  # metres: pose noise and the planner's own spread hide the direction of less
TOGGLE = 0.25  # change of closedness from which on a gripper opens or closes: the planner's dead band
_MOST_TURN = 0.2  # radians: the planner does not turn the hand, so moves that do are not its business

DISTANCES = ((SHORTEST, 0.02), (0.02, 0.05), (0.05, np.inf))
"""Metres from and to, by which moves are told apart."""

DIRECTIONS = ("+x", "-x", "+y", "-y", "+z", "-z")
"""By the axis along which a move is longest, in the robot base frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """An episode at equal steps of time.

    Attributes:
        episode: its pictures are read when they are asked for.
        seconds: a step.
        stamps: float64 [K].
        states: float64 [K, 7]: metres, extrinsic xyz radians in the base frame, closedness.
    """

    episode: Episode
    seconds: float
    stamps: np.ndarray
    states: np.ndarray

    @classmethod
    def of(cls, episode: Episode, seconds: float) -> Walk:
        """An episode, sampled.

        Raises:
            ValueError: its states cannot be metres, radians and closedness.
        """
        stamps = sample_stamps(episode.stamps, seconds)
        states = episode.states(stamps)
        check_poses(states, f"states of {episode.name}")
        return cls(episode=episode, seconds=seconds, stamps=stamps, states=states)

    def stretches(self, steps: int) -> list[Stretch]:
        """All stretches of so many steps without a hole in time."""
        starts = clip_starts(self.stamps, steps + 1, self.seconds).tolist()
        return [Stretch(walk=self, first=first, steps=steps) for first in starts]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """So many steps of a walk from one of its frames on."""

    walk: Walk
    first: int
    steps: int

    @property
    def name(self) -> str:
        """Where it is: the episode, and from when to when in seconds since its beginning."""
        begin, end = self.stamps[[0, -1]] - self.walk.episode.stamps[0]
        return f"{self.walk.episode.name}, {begin:.2f} to {end:.2f} s"

    @property
    def stamps(self) -> np.ndarray:
        """Float64 [steps + 1] of its frames."""
        return self.walk.stamps[self.first : self.first + self.steps + 1]

    @property
    def states(self) -> np.ndarray:
        """Float64 [steps + 1, 7] of its frames."""
        return self.walk.states[self.first : self.first + self.steps + 1]

    @functools.cached_property
    def done(self) -> np.ndarray:
        """Float64 [7]: the action that leads from its first state to its last."""
        return actions_between(self.states[[0, -1]])[0]

    @property
    def moves(self) -> bool:
        """Whether the arm moves or the gripper opens or closes."""
        return float(np.linalg.norm(self.done[:3])) >= SHORTEST or abs(float(self.done[6])) >= TOGGLE

    def images(self, frames: Sequence[int]) -> np.ndarray:
        """Pictures uint8 [len(frames), H, W, 3] of some of its frames.

        Raises:
            DataError: they cannot be read.
        """
        return self.walk.episode.images(self.stamps[list(frames)])


def actions_between(states: np.ndarray) -> np.ndarray:
    """Actions float64 [K - 1, 7] between successive states [K, 7]."""
    poses = torch.from_numpy(np.ascontiguousarray(states))
    return np.asarray(pose_difference(poses[:-1], poses[1:]).numpy())


def longest_steps(walks: Iterable[Walk], most: int) -> int:
    """The most steps, up to so many, that a stretch without a hole has; 0 when no two frames follow one another."""
    known = list(walks)
    return next((steps for steps in range(most, 0, -1) if any(walk.stretches(steps) for walk in known)), 0)


def draw_clips(walks: Sequence[Walk], steps: int, count: int, rng: np.random.Generator) -> list[Stretch]:
    """Up to so many stretches in which something moves, at random: where nothing does, any model predicts well."""
    return _some([each for walk in walks for each in walk.stretches(steps) if each.moves], count, rng)


def draw_toggles(walks: Sequence[Walk], gaps: Sequence[int], count: int, rng: np.random.Generator) -> list[Stretch]:
    """Up to so many stretches in which the gripper opens or closes."""
    return _some([each for each in _all(walks, gaps) if abs(each.done[6]) >= TOGGLE], count, rng)


def draw_moves(walks: Sequence[Walk], gaps: Sequence[int], count: int, rng: np.random.Generator) -> list[Stretch]:
    """Up to so many moves of the arm, as evenly spread over directions and distances as the recordings allow."""
    cells: dict[tuple[str, int], list[Stretch]] = defaultdict(list)
    for each in _all(walks, gaps):
        made = each.done
        length = float(np.linalg.norm(made[:3]))
        if length >= SHORTEST and float(np.linalg.norm(made[3:6])) <= _MOST_TURN:
            cells[direction_of(made), distance_of(length)].append(each)
    shuffled = [_some(cells[key], len(cells[key]), rng) for key in sorted(cells)]
    deepest = max((len(cell) for cell in shuffled), default=0)
    in_turn = [cell[index] for index in range(deepest) for cell in shuffled if index < len(cell)]
    return in_turn[:count]


def direction_of(made: np.ndarray) -> str:
    """Which of :data:`DIRECTIONS` a move goes."""
    axis = int(np.abs(made[:3]).argmax())
    return DIRECTIONS[2 * axis + int(made[axis] < 0.0)]


def distance_of(length: float) -> int:
    """Which of :data:`DISTANCES` a move of so many metres goes."""
    return next(index for index, (low, high) in enumerate(DISTANCES) if low <= length < high)


def _all(walks: Sequence[Walk], gaps: Sequence[int]) -> list[Stretch]:
    return [each for walk in walks for steps in gaps for each in walk.stretches(steps)]


def _some(there: Sequence[Stretch], count: int, rng: np.random.Generator) -> list[Stretch]:
    order = rng.permutation(len(there))[: max(0, count)]
    return [there[index] for index in order.tolist()]
