"""Makes the moves of a camera calibration, in the place of the visual controller and under the same supervision."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from vjepa_mpc.calibration.route import RouteSettings, calibration_route
from vjepa_mpc.controller.interface import Controller, CurrentGoal, NoGoalError
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.pose import POSE_DIM

NEAR = 0.02  # metres from a place where the arm may turn round as well


@dataclass(frozen=True, eq=False)
class _Way:
    """How far a route has been followed.

    Attributes:
        route: places [n, 3] to go to; None before the first step, where it begins.
        reached: how many of them the arm has been to.
        on_its_way: the newest move leads to the next place.
        orientation: [3] Euler angles that all moves keep; None to keep the measured ones.
        observations: seen before each of the moves.
    """

    route: np.ndarray | None = None
    reached: int = 0
    on_its_way: bool = False
    orientation: np.ndarray | None = None
    observations: tuple[Observation, ...] = ()


@dataclass(eq=False)
class _Run:
    """One route being followed; replaced as a whole when another one is set."""

    goal_id: int
    settings: RouteSettings
    way: _Way = field(default_factory=_Way)


class Calibrator(Controller):
    """Proposes the next calibration move where visual MPC would plan one.

    Its goals are the settings of one route. What it sees before, between and after the moves is collected in
    `observations`. The moves go to places, not by distances, so that one that was not carried out, or an arm that was
    moved by hand meanwhile, changes nothing but the length of the next move.

    Args:
        workspace: what the moves stay inside.
        max_step: most metres along an axis in one move.
    """

    def __init__(self, workspace: WorkspaceBox, max_step: float) -> None:
        self._workspace, self._max_step = workspace, max_step
        self._goal: CurrentGoal[_Run] = CurrentGoal()
        self._observations: tuple[Observation, ...] = ()

    @property
    def goal_id(self) -> int:
        """Identity of the route that is being made; 0 for none."""
        return self._goal.id

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was seen before, between and after the committed moves of the newest route."""
        return self._observations

    def set_goals(self, goals: Sequence[RouteSettings]) -> int:
        """Make this route, beginning where the arm will be at the first step; returns the goal's id.

        Raises:
            ValueError: not exactly one route.
        """
        if len(goals) != 1:
            raise ValueError(f"{len(goals)} routes given: a calibration makes one")
        self._observations = ()
        return self._goal.set(lambda goal_id: _Run(goal_id, goals[0]))

    def clear_goals(self) -> None:
        """Have no route; what was seen stays."""
        self._goal.clear()

    def restart(self) -> None:
        """Go on from the measured pose, because a move was interrupted."""
        with suppress(NoGoalError):
            run = self._goal.get()
            run.way = replace(run.way, orientation=None, on_its_way=False)

    def propose(self, observation: Observation) -> Step:
        """The next move; ``finished`` when all have been made.

        Raises:
            NoGoalError: no route is set.
            ValueError: the workspace leaves no room around the arm.
        """
        run = self._goal.get()
        way, position = run.way, observation.pose[:3]
        route = calibration_route(position, self._workspace, run.settings) if way.route is None else way.route
        # Having been sent there counts as having been there: a compliant arm has its standing error.
        reached = way.reached + way.on_its_way
        finished = reached == len(route)
        left = np.zeros(3) if finished else route[reached] - position
        action = np.zeros(POSE_DIM)
        action[:3] = np.clip(left, -self._max_step, self._max_step)
        orientation = observation.pose[3:6].copy() if way.orientation is None else way.orientation
        then = _Way(
            route=route,
            reached=reached,
            on_its_way=not finished and float(np.linalg.norm(left - action[:3])) <= NEAR,
            orientation=orientation,
            observations=(*way.observations, observation),
        )
        return Step(
            goal_id=run.goal_id,
            superseded=self._goal.id != run.goal_id,
            finished=finished,
            goal_index=min(reached, len(route) - 1),
            goal_count=len(route),
            goal_step=1,
            actions=action[None],
            target_pose=np.concatenate([position + action[:3], orientation, observation.pose[6:]]),
            state=(run, then),
        )

    def commit(self, step: Step) -> None:
        """The move is being made."""
        run, way = step.state
        run.way, self._observations = way, way.observations
