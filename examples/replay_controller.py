"""A controller of your own: it replays recorded actions, under the same supervisor and limits as visual MPC.

The file has one action a line, as ``numpy.savetxt`` writes it: dx dy dz (metres), drx dry drz (radians), dg (change of
closedness), robot base frame. What the goal shows does not matter; setting one starts the replay.

In ROS, with this folder on PYTHONPATH: the parameters ``controller: replay_controller:ReplayController`` and
``replay_controller.path: /home/me/actions.txt``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vjepa_mpc.controller.interface import Controller, CurrentGoal
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.pose import next_pose
from vjepa_mpc.options import option


@dataclass(eq=False)
class Replay:
    """One replay on its way, and how many of its actions were carried out."""

    goal_id: int
    done: int = 0


class ReplayController(Controller):
    """Proposes the actions of a file one after the other."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """What is replayed."""

        path: str = option("", "File of the actions that are replayed.")

        def __post_init__(self) -> None:
            if not self.path:
                raise ValueError("replay_controller.path='': give the file of the actions")

    def __init__(self, options: Options) -> None:
        self._actions = np.loadtxt(options.path, ndmin=2)
        self._goal: CurrentGoal[Replay] = CurrentGoal()

    @property
    def goal_id(self) -> int:
        """Identity of the replay; 0 for none."""
        return self._goal.id

    def set_goals(self, goals: Sequence[Any]) -> int:
        """Start from the first action."""
        return self._goal.set(Replay)

    def clear_goals(self) -> None:
        """Stop."""
        self._goal.clear()

    def propose(self, observation: Observation) -> Step:
        """The next action; changes nothing, because it may be refused."""
        replay, actions = self._goal.get(), self._actions
        finished = replay.done == len(actions)
        action = np.zeros(7) if finished else actions[replay.done]
        target = next_pose(torch.from_numpy(observation.origin), torch.from_numpy(action)).numpy()
        target[6] = np.clip(target[6], 0.0, 1.0)
        return Step(
            goal_id=replay.goal_id,
            superseded=replay.goal_id != self._goal.id,
            finished=finished,
            goal_step=replay.done + (not finished),
            step_budget=len(actions),
            actions=action[None],
            target_pose=target,
            state=replay,
        )

    def commit(self, step: Step) -> None:
        """The action is being carried out."""
        step.state.done = step.goal_step
