"""What drives the arm in an evaluation: the visual controller, and two baselines that ignore the goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.endings.plateau import Plateau
from vjepa_mpc.goals.progress import EndedSubGoal
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.safety.guards.progress import ProgressGuard
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TaskGoal
from vjepa_mpc.worldmodel import WorldModel


@dataclass(frozen=True, kw_only=True)
class Command:
    """One action: the target pose `[7]` (entry 6: commanded closedness) and the seconds it took to find."""

    target: np.ndarray
    seconds: float | None = None


class Policy(Protocol):
    """Drives one episode after the other."""

    @property
    def ended(self) -> Sequence[EndedSubGoal]:
        """How the sub-goals of the present episode ended so far; none for a policy that has no sub-goals."""
        ...

    @property
    def held_by(self) -> Sequence[str]:
        """Reasons for which the planner node would have held the arm in the present episode so far."""
        ...

    def begin(self, goals: Sequence[TaskGoal], seed: int) -> None:
        """Start an episode. Of the goals, a policy may use images and budgets only."""
        ...

    def act(self, sim: FrankaSim) -> Command | None:
        """The next command, or None when the policy has finished."""
        ...


BUDGET_ONLY: tuple[Ending, ...] = ()
"""Nothing ends a sub-goal before its step budget is used up."""

EARLY: tuple[Ending, ...] = (Energy(energy_threshold=0.02), Plateau(plateau_window=3, plateau_slope=0.05))
"""For the bundled model. On pick-and-place its energy is 0.003 to 0.02 where the gripper is within a centimetre and
holds or has let go, and above 0.025 elsewhere (seed 311); the plateau is for pictures that it does not quite reach."""


class VisualPolicy:
    """The product: goal images, camera images and measured poses, nothing else.

    What the guard of the node finds wrong with a plan is noted, and the plan is carried out all the same.

    Args:
        world_model: sees and predicts.
        config: of the planner.
        endings: what may end sub-goals before their step budgets are used up.
        action_rotation: [3, 3] camera calibration.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        endings: Sequence[Ending] = BUDGET_ONLY,
        action_rotation: np.ndarray | None = None,
    ) -> None:
        self._world_model, self._config, self._endings = world_model, config, endings
        self._rotation = action_rotation
        self._mpc = VisualMPC(world_model, config)
        self.ended: Sequence[EndedSubGoal] = ()
        self._guard = ProgressGuard(ProgressGuard.Options())
        self.held_by: tuple[str, ...] = ()

    def begin(self, goals: Sequence[TaskGoal], seed: int) -> None:
        """Encode the goal images, so that every `act` costs one image and one plan."""
        self._mpc = VisualMPC(self._world_model, self._config, action_rotation=self._rotation, seed=seed)
        self._mpc.set_goals(
            [SubGoal(image=goal.image, endings=(*self._endings, Budget(steps=goal.steps))) for goal in goals]
        )
        self._mpc.prepare()
        self._guard = ProgressGuard(ProgressGuard.Options())
        self.ended, self.held_by = (), ()

    def act(self, sim: FrankaSim) -> Command | None:
        """Look, encode, plan."""
        step = self._mpc.step(Observation(image=sim.render(), pose=sim.pose))
        self.ended = step.ended
        if step.finished:
            return None
        found = self._guard.look(step)
        if found is not None:
            self.held_by = (*self.held_by, found.reason.name)
        self._guard.accepted(step)
        return Command(target=step.target_pose, seconds=step.encode_seconds + step.plan_seconds)


class NoMotion:
    """Holds the start pose for as many steps as the goals allow."""

    ended: Sequence[EndedSubGoal] = ()
    held_by: Sequence[str] = ()

    def begin(self, goals: Sequence[TaskGoal], seed: int) -> None:
        """Count the steps."""
        self._steps_left = sum(goal.steps for goal in goals)

    def act(self, sim: FrankaSim) -> Command | None:
        """The measured pose."""
        self._steps_left -= 1
        return Command(target=sim.pose) if self._steps_left >= 0 else None


class RandomActions:
    """Uniform actions in the planner's box, the gripper opened or closed at random."""

    ended: Sequence[EndedSubGoal] = ()
    held_by: Sequence[str] = ()

    def __init__(self, maxnorm: float) -> None:
        self._maxnorm = maxnorm

    def begin(self, goals: Sequence[TaskGoal], seed: int) -> None:
        """Count the steps and seed the generator."""
        self._steps_left = sum(goal.steps for goal in goals)
        self._rng = np.random.default_rng(seed)

    def act(self, sim: FrankaSim) -> Command | None:
        """A random step."""
        self._steps_left -= 1
        if self._steps_left < 0:
            return None
        target = sim.pose
        target[:3] += self._rng.uniform(-self._maxnorm, self._maxnorm, 3)
        target[6] = float(self._rng.integers(2))
        return Command(target=target)
