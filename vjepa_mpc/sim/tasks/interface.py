"""What a task is: a start, goal pictures, a script that an oracle follows, and a judgement.

A task is a frozen description of one start and one goal, drawn from a generator by ``sample``. The way to run one:

    goals = task.goals(sim)      # pictures of a scripted reference run with the same start; leaves the sim anywhere
    task.start(sim)
    ...                          # a controller moves with `FrankaSim.execute`
    outcome = task.outcome(sim)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from vjepa_mpc.sim.config import Workspace
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.moves import step_towards

_ARRIVED_WITHIN = 0.003  # metres


@dataclass(frozen=True, kw_only=True)
class TaskGoal:
    """A goal picture and a budget of MPC steps to get there.

    Attributes:
        name: in words.
        image: uint8 RGB [H, W, 3].
        pose: [7] of the arm in it, see :mod:`vjepa_mpc.geometry.pose`.
        block_pose: [7] of the block in it: position in metres, quaternion xyzw.
        steps: the budget.
    """

    name: str
    image: np.ndarray
    pose: np.ndarray
    block_pose: np.ndarray
    steps: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an episode ended.

    Attributes:
        success: as the task's ``success_means`` says.
        distance: metres, as the task's ``distance_means`` says.
        closedness: of the gripper, 0 open … 1 closed.
    """

    success: bool
    distance: float
    closedness: float


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a script: where to, with which gripper, and its budget of MPC steps.

    Attributes:
        name: in words.
        position: [3] metres.
        closedness: commanded, 0 open … 1 closed.
        steps: of at most `MAX_STEP` per axis.
    """

    name: str
    position: np.ndarray
    closedness: float
    steps: int


class Scene(Protocol):
    """What a judgement looks at: the simulator, or what is known of it through topics."""

    @property
    def pose(self) -> np.ndarray:
        """Of the arm [7]."""

    @property
    def block_pose(self) -> np.ndarray:
        """Of the block [7]: position and quaternion xyzw."""

    @property
    def closedness(self) -> float:
        """Of the gripper."""

    @property
    def block_size(self) -> float:
        """Edge of the block in metres."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """One start and one goal.

    Attributes:
        start_pose: [7] of the arm, see :mod:`vjepa_mpc.geometry.pose`.
        block_position: [2] metres, where the block lies at the start.
        block_yaw: radians, how it is turned.
        success_means: when an episode counts as a success, in words for the command line's help.
        distance_means: from what to what a distance is measured, in words for tables and plots.
        reached_within: metres; the greatest distance of a success.
        promised_rate: success rate that the bundled model is promised to reach; 0 for no promise.
    """

    success_means: ClassVar[str] = ""
    distance_means: ClassVar[str] = "to the goal"
    reached_within: ClassVar[float] = 0.025
    promised_rate: ClassVar[float] = 0.0

    start_pose: np.ndarray
    block_position: np.ndarray
    block_yaw: float

    @classmethod
    @abstractmethod
    def sample(cls, rng: np.random.Generator, workspace: Workspace | None = None) -> Task:
        """Draw a start and a goal in the workspace (the simulator's own when None).

        Raises:
            ValueError: the workspace is too small for the task.
        """

    def start(self, sim: FrankaSim) -> None:
        """Put arm and block at the task's start."""
        sim.reset(pose=self.start_pose, block_position=self.block_position, block_yaw=self.block_yaw)

    @abstractmethod
    def script(self) -> tuple[Phase, ...]:
        """The script that solves the task; every phase fits into its budget."""

    @abstractmethod
    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """The goal pictures in order, taken with the task's start; the simulator is left anywhere."""

    @abstractmethod
    def outcome(self, scene: Scene) -> Outcome:
        """Judge the present state."""

    @abstractmethod
    def start_distance(self, scene: Scene) -> float:
        """How far the present state is from the goal, as `Outcome.distance` measures it."""


def run_phase(sim: FrankaSim, phase: Phase) -> int:
    """Drive one phase within its budget, stopping once there; returns the steps taken."""
    for step in range(phase.steps):
        sim.execute(step_towards(sim.pose, phase.position), phase.closedness)
        if np.linalg.norm(sim.pose[:3] - phase.position) < _ARRIVED_WITHIN:
            return step + 1
    return phase.steps


def run_oracle(sim: FrankaSim, task: Task) -> Outcome:
    """The upper bound: drive a task with full knowledge of the state, under the planner's own limits."""
    task.start(sim)
    for phase in task.script():
        run_phase(sim, phase)
    return task.outcome(sim)
