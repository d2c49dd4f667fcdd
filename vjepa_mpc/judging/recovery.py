"""Whether plans from one frame of a recording to a later one are what the arm really did between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from vjepa_mpc.judging.stretches import Stretch
from vjepa_mpc.planning import CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import Crop, WorldModel

# A move may look longer than it was, and must not be explained by the edge of what the planner may answer.
_ROOM_FOR_ERROR = 1.5


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What the arm did, and what the planner would have it do to get there.

    Attributes:
        name: of the stretch.
        steps: of the world model between the two frames.
        made: x, y, z in metres (robot base frame) and the change of closedness, as measured.
        planned: the same as planned, all steps together.
    """

    name: str
    steps: int
    made: tuple[float, float, float, float]
    planned: tuple[float, float, float, float]

    @property
    def length(self) -> float:
        """Metres that the arm moved."""
        return math.hypot(*self.made[:3])

    @property
    def error(self) -> float:
        """Metres between where the plan leads and where the arm went."""
        return math.dist(self.made[:3], self.planned[:3])

    @property
    def left(self) -> float:
        """The error as a share of the move: what is left of the way after the plan has been carried out."""
        return self.error / self.length

    @property
    def direction(self) -> float:
        """Angle between the plan and the move in degrees; 90 for a plan that does not move."""
        lengths = self.length * math.hypot(*self.planned[:3])
        dot = sum(made * planned for made, planned in zip(self.made[:3], self.planned[:3], strict=True))
        return math.degrees(math.acos(max(-1.0, min(1.0, dot / lengths)))) if lengths > 0.0 else 90.0

    @property
    def gripper_right(self) -> bool:
        """Whether the plan opens where the gripper opened and closes where it closed."""
        return self.made[3] * self.planned[3] > 0.0


class Recovery:
    """Plans from the first frame of stretches to their last.

    Args:
        world_model: plans are made with it.
        config: of the planner; as many steps are planned as a stretch has.
        longest: metres along an axis of the longest step that any of the stretches takes.
        crop: of the pictures.
        seed: of the planner's random numbers.
    """

    def __init__(self, world_model: WorldModel, config: CEMConfig, longest: float, crop: Crop, seed: int) -> None:
        room = max(config.maxnorm, _ROOM_FOR_ERROR * longest)
        self._config = replace(config, maxnorm=room, axis={}, close_gripper=None, time_budget=None)
        self._world_model, self._crop, self._seed = world_model, crop, seed
        self._planners: dict[int, CEMPlanner] = {}

    def planner(self, steps: int) -> CEMPlanner:
        """The planner of so many steps."""
        if steps not in self._planners:
            generator = torch.Generator(device=self._world_model.device).manual_seed(self._seed)
            config = replace(self._config, rollout=steps)
            self._planners[steps] = CEMPlanner(self._world_model, config, generator, crop=self._crop)
        return self._planners[steps]

    def __call__(self, stretch: Stretch) -> Recovered:
        """Plan one stretch.

        Raises:
            DataError: its pictures cannot be read.
        """
        seen, wanted = self._world_model.encode(stretch.images([0, stretch.steps]), crop=self._crop)
        pose = torch.as_tensor(stretch.states[0], dtype=torch.float32)
        actions = self.planner(stretch.steps).plan(seen, pose, wanted).actions
        return Recovered(
            name=stretch.name, steps=stretch.steps, made=_four(stretch.done), planned=_four(actions.double().sum(dim=0))
        )


def longest_step(stretches: Sequence[Stretch]) -> float:
    """Metres along an axis of the longest step that any of them takes; 0 without one."""
    return max((float(np.abs(each.done[:3]).max()) / each.steps for each in stretches), default=0.0)


def _four(action: np.ndarray | torch.Tensor) -> tuple[float, float, float, float]:
    x, y, z, gripper = (float(action[index]) for index in (0, 1, 2, 6))
    return x, y, z, gripper
