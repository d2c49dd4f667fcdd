"""Makes the moves of a camera calibration, in the place of the visual controller and under the same supervision."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

from vjepa_mpc.calibration.fit import RouteSettings, calibration_route
from vjepa_mpc.controller.step import MPCStep, Observation
from vjepa_mpc.controller.visual_mpc import NO_GOAL, NoGoalError
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.pose import POSE_DIM
from vjepa_mpc.planning.config import CEMConfig

NEAR = 0.02  # metres from a place where the arm may turn round as well


class Calibrator:
    """Answers with the next calibration move where :class:`~vjepa_mpc.controller.visual_mpc.VisualMPC` would plan one.

    Its goals are the settings of one route. What it sees before, between and after the moves is collected in
    `observations`. The moves go to places, not by distances, so that one that was not carried out, or an arm that was
    moved by hand meanwhile, changes nothing but the length of the next move.

    Threads: as in VisualMPC; `observations` is read when the goal has ended.

    Args:
        workspace: what the moves stay inside.
        max_step: most metres along an axis in one move.
        planner_config: not used; there because the control loop hands on changed settings.
    """

    def __init__(self, workspace: WorkspaceBox, max_step: float, planner_config: CEMConfig) -> None:
        self.planner_config = planner_config
        self.observations: list[Observation] = []
        self._workspace, self._max_step = workspace, max_step
        self._lock = threading.Lock()  # guards the next two attributes, which other threads replace
        self._settings: RouteSettings | None = None
        self._goal_id = NO_GOAL
        self._goals_set = 0
        self._route: np.ndarray | None = None
        self._reached = 0  # how many places of the route the arm has been to
        self._on_its_way = False  # the newest move leads to the next place
        self._orientation: np.ndarray | None = None
        self._newest: MPCStep | None = None

    @property
    def goal_id(self) -> int:
        """Identity of the route that is being made; 0 for none."""
        with self._lock:
            return self._goal_id

    def set_goals(self, goals: Sequence[RouteSettings]) -> int:
        """Make this route, beginning where the arm will be at the first step; returns the goal's id.

        Raises:
            ValueError: not exactly one route.
        """
        if len(goals) != 1:
            raise ValueError(f"{len(goals)} routes given: a calibration makes one")
        with self._lock:
            self._goals_set += 1
            self._goal_id, self._settings = self._goals_set, goals[0]
            self.observations, self._route, self._reached, self._on_its_way = [], None, 0, False
            return self._goal_id

    def clear_goals(self) -> None:
        """Have no route."""
        with self._lock:
            self._goal_id, self._settings = NO_GOAL, None

    def restart(self) -> None:
        """Go on from the measured pose, because a move was interrupted. Not while a step runs."""
        self._orientation, self._on_its_way = None, False

    def forget(self) -> None:
        """The same; there is no grasp to forget."""
        self.restart()

    def retract(self, step: MPCStep) -> None:
        """Forget the newest step and what it saw, because the move was not made. Not while another step runs."""
        if self._newest is step:
            self._newest, self._on_its_way = None, False
            self.observations.pop()

    def step(self, observation: Observation) -> MPCStep:
        """Note what is seen and answer with the next move; ``finished`` when all have been made.

        Raises:
            NoGoalError: no route is set.
            ValueError: the workspace leaves no room around the arm.
        """
        with self._lock:
            goal_id, settings = self._goal_id, self._settings
        if settings is None:
            raise NoGoalError("no route is set: call set_goals first")
        position = observation.pose[:3]
        if self._route is None:
            self._route = calibration_route(position, self._workspace, settings)
        # Having been sent there counts as having been there: a compliant arm has its standing error.
        self._reached += self._on_its_way
        finished = self._reached == len(self._route)
        action = np.zeros(POSE_DIM)
        if not finished:
            way = self._route[self._reached] - position
            action[:3] = np.clip(way, -self._max_step, self._max_step)
            self._on_its_way = float(np.linalg.norm(way - action[:3])) <= NEAR
        if self._orientation is None:
            self._orientation = observation.pose[3:6].copy()
        self.observations.append(observation)
        self._newest = MPCStep(
            goal_id=goal_id,
            finished=finished,
            goal_index=min(self._reached, len(self._route) - 1),
            goal_count=len(self._route),
            goal_step=1,
            step_budget=None,
            actions=action[None],
            target_pose=np.concatenate([position + action[:3], self._orientation, observation.pose[6:]]),
            energy=math.nan,
            encode_seconds=0.0,
        )
        return self._newest
