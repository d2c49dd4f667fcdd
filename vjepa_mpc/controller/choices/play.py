"""Smooth random moves and gripper toggles inside the workspace box: an arm that collects data by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vjepa_mpc.controller.interface import Controller, CurrentGoal
from vjepa_mpc.controller.setup import Setup
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.pose import next_pose
from vjepa_mpc.options import check_options, option

OPEN, CLOSED = 0.0, 1.0


@dataclass(eq=False)
class _Playing:
    """What was carried out since playing was begun."""

    goal_id: int
    done: int = 0
    move: np.ndarray = field(default_factory=lambda: np.zeros(3))


class PlayController(Controller):
    """Plays until its goal is cleared; what the goal shows does not matter.

    Every few actions a new place in the box is drawn. The arm goes there in steps of all lengths, turning gradually,
    and now and then the gripper closes or opens while the arm rests. The same seed makes the same draws.

    Args:
        options: how it moves.
        workspace: box that targets stay in.
        longest: longest step in metres, if that is less than the options say.
        seed: of random numbers.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """How an arm plays.

        Raises:
            ValueError: an option is out of its range.
        """

        longest: float = option(0.05, "Longest move.", unit="m", low=0.002, high=0.2)
        shortest: float = option(0.005, "Shortest move.", unit="m", low=0.001, high=0.2)
        momentum: float = option(0.5, "Share of a move's direction that the next one keeps.", low=0.0, high=0.95)
        visit: int = option(8, "Moves after which another place in the box is drawn.", low=1, high=1000)
        toggle: float = option(
            0.1, "Probability that an action closes or opens the gripper instead of moving the arm.", low=0.0, high=1.0
        )
        margin: float = option(0.01, "Distance of targets from the faces of the box.", unit="m", low=0.0, high=0.1)

        def __post_init__(self) -> None:
            check_options(self)
            if self.shortest > self.longest:
                raise ValueError(f"play.shortest={self.shortest} > play.longest={self.longest}: give a shorter one")

    def __init__(self, options: Options, workspace: WorkspaceBox, longest: float, seed: int = 0) -> None:
        self._options, self._seed = options, seed
        self._longest = min(options.longest, longest)
        lower, upper = np.array(workspace.lower), np.array(workspace.upper)
        margin = np.minimum(options.margin, (upper - lower) / 2)
        self._lower, self._upper = lower + margin, upper - margin
        self._goal: CurrentGoal[_Playing] = CurrentGoal()

    @classmethod
    def make(cls, setup: Setup, options: Any = None) -> PlayController:
        """The controller for a node's box. It loads no world model.

        Raises:
            ValueError: no box is given.
        """
        if setup.workspace is None:
            raise ValueError("workspace.lower and workspace.upper are not set: give the box that the arm may play in")
        return cls(options or cls.Options(), setup.workspace, setup.planner.maxnorm, setup.seed)

    @property
    def goal_id(self) -> int:
        """Identity of this playing; 0 while it does not play."""
        return self._goal.id

    def set_goals(self, goals: Sequence[Any]) -> int:
        """Begin to play."""
        return self._goal.set(_Playing)

    def clear_goals(self) -> None:
        """Stop playing."""
        self._goal.clear()

    def propose(self, observation: Observation) -> Step:
        """The next move or toggle; changes nothing, because it may be refused."""
        playing = self._goal.get()
        action = self._action(playing, observation.origin)
        target = next_pose(torch.from_numpy(observation.origin), torch.from_numpy(action)).numpy()
        return Step(
            goal_id=playing.goal_id,
            superseded=playing.goal_id != self._goal.id,
            goal_step=playing.done + 1,
            actions=action[None],
            target_pose=target,
            state=playing,
        )

    def commit(self, step: Step) -> None:
        """The action is being carried out."""
        playing: _Playing = step.state
        playing.done = step.goal_step
        move = step.actions[0, :3]
        playing.move = move if np.any(move) else playing.move

    def _action(self, playing: _Playing, origin: np.ndarray) -> np.ndarray:
        """[7] that belongs to this point of the playing; the same whenever it is asked for."""
        rng = np.random.default_rng([self._seed, playing.goal_id, playing.done])
        action = np.zeros(7)
        if rng.uniform() < self._options.toggle:
            action[6] = (OPEN if origin[6] > 0.5 * (OPEN + CLOSED) else CLOSED) - origin[6]
        else:
            action[:3] = self._move(rng, playing, origin[:3])
        return action

    def _move(self, rng: np.random.Generator, playing: _Playing, position: np.ndarray) -> np.ndarray:
        visit = np.random.default_rng([self._seed, playing.goal_id, playing.done // self._options.visit, 1])
        place = visit.uniform(self._lower, self._upper)
        direction = self._options.momentum * _unit(playing.move) + _unit(place - position) + rng.normal(0.0, 0.3, 3)
        shortest = min(self._options.shortest, self._longest)
        length = np.exp(rng.uniform(np.log(shortest), np.log(self._longest)))
        target = np.clip(position + length * _unit(direction), self._lower, self._upper)
        # From outside of these bounds, the way back in may be longer than a step.
        return _shortened(target - position, self._longest)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else np.zeros_like(vector)


def _shortened(vector: np.ndarray, most: float) -> np.ndarray:
    return vector * min(1.0, most / max(float(np.linalg.norm(vector)), 1e-9))
