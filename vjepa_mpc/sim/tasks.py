"""The benchmark tasks: reach, open or close the gripper, pick and place; with goal pictures, success and an oracle.

Each task is a frozen description of a start and a goal, drawn from a generator by its ``sample``. The way to run one:

    goals = task.goals(sim)      # pictures of a scripted reference run with the same start; leaves the sim anywhere
    task.start(sim)
    ...                          # a controller moves with `FrankaSim.execute`
    outcome = task.outcome(sim)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from vjepa_mpc.sim.config import Workspace
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.kinematics import DOWN

MAX_STEP = 0.075  # metres per axis: what one step of the planner can do
BLOCK_YAW = math.pi / 12  # the gripper does not turn, so blocks lie within 15 degrees of it
GRASP_HEIGHT = 0.027
CARRY_HEIGHT = 0.13
PLACED_WITHIN = 0.025
RELEASED_BELOW = 0.25  # closedness

_CLEARANCE = 0.09  # metres around a block that a passing gripper keeps
_RESTING_WITHIN = 0.006  # metres of height: a block that leans or hangs is not placed
_MAX_DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class TaskGoal:
    """A goal picture: uint8 RGB, the arm's and the block's pose in it, and a budget of MPC steps to get there."""

    name: str
    image: np.ndarray
    pose: np.ndarray
    block_pose: np.ndarray
    steps: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an episode ended. Distances in metres: of the arm for reach and gripper, of the block for pick-place."""

    success: bool
    distance: float
    closedness: float


class Task(Protocol):
    """What every task offers; see the module's docstring."""

    name: ClassVar[str]

    def start(self, sim: FrankaSim) -> None:
        """Put arm and block at the task's start."""

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """The goal pictures in order."""

    def outcome(self, sim: FrankaSim) -> Outcome:
        """Judge the present state."""

    def start_distance(self, sim: FrankaSim) -> float:
        """How far the present state is from the goal, as `Outcome.distance` measures it."""


def down_pose(position: np.ndarray, closedness: float = 0.0) -> np.ndarray:
    """The pose [7] with the gripper pointing down at a position [3]."""
    return np.array([*position, *DOWN, closedness])


def step_towards(pose: np.ndarray, position: np.ndarray, max_step: float = MAX_STEP) -> np.ndarray:
    """The pose [7] at most `max_step` per axis nearer to a position [3], gripper down."""
    return down_pose(pose[:3] + np.clip(position - pose[:3], -max_step, max_step))


@dataclass(frozen=True, kw_only=True)
class ReachTask:
    """Bring the gripper from one place to another, 10 to 25 cm away; a block lies out of the way."""

    name: ClassVar[str] = "reach"
    steps: ClassVar[int] = 10

    start_pose: np.ndarray
    goal_pose: np.ndarray
    block_position: np.ndarray
    block_yaw: float

    @classmethod
    def sample(cls, rng: np.random.Generator, workspace: Workspace | None = None) -> ReachTask:
        """Draw a start and a goal whose straight connection keeps clear of the block."""
        box = workspace or Workspace()

        def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return rng.uniform(box.low, box.high), rng.uniform(box.low, box.high), sample_block(rng, box)

        start, goal, block = _draw_until(
            draw, lambda s, g, b: 0.10 <= np.linalg.norm(g - s) <= 0.25 and _passes_clear(s, g, b)
        )
        closedness = float(rng.integers(2))
        return cls(
            start_pose=down_pose(start, closedness),
            goal_pose=down_pose(goal, closedness),
            block_position=block,
            block_yaw=float(rng.uniform(-BLOCK_YAW, BLOCK_YAW)),
        )

    def start(self, sim: FrankaSim) -> None:
        """Put the arm at the start pose."""
        sim.reset(pose=self.start_pose, block_position=self.block_position, block_yaw=self.block_yaw)

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """One picture."""
        return (_pictured(self, sim, "reached", self.goal_pose, self.steps),)

    def outcome(self, sim: FrankaSim) -> Outcome:
        """Success is an arm within 2.5 cm of the goal."""
        distance = self.start_distance(sim)
        return Outcome(success=distance <= 0.025, distance=distance, closedness=sim.closedness)

    def start_distance(self, sim: FrankaSim) -> float:
        """Arm to goal."""
        return float(np.linalg.norm(sim.pose[:3] - self.goal_pose[:3]))


@dataclass(frozen=True, kw_only=True)
class GripperTask:
    """Open or close the empty gripper where it is."""

    name: ClassVar[str] = "gripper"
    steps: ClassVar[int] = 4

    start_pose: np.ndarray
    goal_pose: np.ndarray
    block_position: np.ndarray
    block_yaw: float

    @classmethod
    def sample(cls, rng: np.random.Generator, workspace: Workspace | None = None) -> GripperTask:
        """Draw a place clear of the block, and whether to open or to close."""
        box = workspace or Workspace()
        place, block = _draw_until(
            lambda: (rng.uniform(box.low, box.high), sample_block(rng, box)), lambda p, b: _passes_clear(p, p, b)
        )
        closedness = float(rng.integers(2))
        return cls(
            start_pose=down_pose(place, closedness),
            goal_pose=down_pose(place, 1.0 - closedness),
            block_position=block,
            block_yaw=float(rng.uniform(-BLOCK_YAW, BLOCK_YAW)),
        )

    def start(self, sim: FrankaSim) -> None:
        """Put the arm at the place, the gripper in the opposite state of the goal."""
        sim.reset(pose=self.start_pose, block_position=self.block_position, block_yaw=self.block_yaw)

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """One picture."""
        name = "closed" if self.goal_pose[6] > 0.5 else "opened"
        return (_pictured(self, sim, name, self.goal_pose, self.steps),)

    def outcome(self, sim: FrankaSim) -> Outcome:
        """Success is a gripper within 0.25 of the wanted closedness and an arm within 5 cm of its place."""
        distance, closedness = self.start_distance(sim), sim.closedness
        success = abs(closedness - self.goal_pose[6]) <= 0.25 and distance <= 0.05
        return Outcome(success=bool(success), distance=distance, closedness=closedness)

    def start_distance(self, sim: FrankaSim) -> float:
        """Arm to its place."""
        return float(np.linalg.norm(sim.pose[:3] - self.goal_pose[:3]))


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the pick-and-place script: where to, with which gripper, and its budget of MPC steps."""

    name: str
    position: np.ndarray
    closedness: float
    steps: int


@dataclass(frozen=True, kw_only=True)
class PickPlaceTask:
    """Pick the block up and put it down somewhere else, following eight sub-goal pictures."""

    name: ClassVar[str] = "pick_place"

    start_pose: np.ndarray
    block_position: np.ndarray
    block_yaw: float
    target_position: np.ndarray

    @classmethod
    def sample(
        cls, rng: np.random.Generator, workspace: Workspace | None = None, *, max_yaw: float = BLOCK_YAW
    ) -> PickPlaceTask:
        """Draw block, target at least 8 cm from it, and an arm pose above the table."""
        box = workspace or Workspace()
        block, target = _draw_until(
            lambda: (sample_block(rng, box), sample_block(rng, box)), lambda b, t: np.linalg.norm(t - b) >= 0.08
        )
        start = rng.uniform((*box.low[:2], CARRY_HEIGHT), (*box.high[:2], box.high[2] - 0.02))
        return cls(
            start_pose=down_pose(start),
            block_position=block,
            block_yaw=float(rng.uniform(-max_yaw, max_yaw)),
            target_position=target,
        )

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The script; every phase fits into its budget at `MAX_STEP` per axis."""
        above_block, above_target = (
            np.array([*place, CARRY_HEIGHT]) for place in (self.block_position, self.target_position)
        )
        at_block, at_target = (
            np.array([*place, GRASP_HEIGHT]) for place in (self.block_position, self.target_position)
        )
        return (
            Phase(name="above block", position=above_block, closedness=0.0, steps=4),
            Phase(name="at block open", position=at_block, closedness=0.0, steps=4),
            Phase(name="closed", position=at_block, closedness=1.0, steps=3),
            Phase(name="lifted", position=above_block, closedness=1.0, steps=4),
            Phase(name="above target", position=above_target, closedness=1.0, steps=5),
            Phase(name="placed", position=at_target, closedness=1.0, steps=4),
            Phase(name="opened", position=at_target, closedness=0.0, steps=3),
            Phase(name="retreated", position=above_target, closedness=0.0, steps=3),
        )

    def start(self, sim: FrankaSim) -> None:
        """Put the arm at its start and the block on the table."""
        sim.reset(pose=self.start_pose, block_position=self.block_position, block_yaw=self.block_yaw)

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """Eight pictures, taken at the end of each phase of a scripted run from the same start."""
        self.start(sim)
        goals = []
        for phase in self.phases:
            run_phase(sim, phase)
            image = sim.render()
            goals.append(
                TaskGoal(name=phase.name, image=image, pose=sim.pose, block_pose=sim.block_pose, steps=phase.steps)
            )
        return tuple(goals)

    def outcome(self, sim: FrankaSim) -> Outcome:
        """Success is a block resting on the table within 2.5 cm of the target, let go by the gripper."""
        distance, closedness = self.start_distance(sim), sim.closedness
        resting = abs(sim.block_pose[2] - sim.config.block_size / 2) <= _RESTING_WITHIN
        success = distance <= PLACED_WITHIN and resting and closedness <= RELEASED_BELOW
        return Outcome(success=bool(success), distance=distance, closedness=closedness)

    def start_distance(self, sim: FrankaSim) -> float:
        """Block to target, on the table's plane."""
        return float(np.linalg.norm(sim.block_pose[:2] - self.target_position))


TASKS: dict[str, type[ReachTask] | type[GripperTask] | type[PickPlaceTask]] = {
    task.name: task for task in (ReachTask, GripperTask, PickPlaceTask)
}


def run_phase(sim: FrankaSim, phase: Phase) -> int:
    """Drive one phase within its budget, stopping once there; returns the steps taken."""
    for step in range(phase.steps):
        sim.execute(step_towards(sim.pose, phase.position), phase.closedness)
        if np.linalg.norm(sim.pose[:3] - phase.position) < 0.003:
            return step + 1
    return phase.steps


def run_oracle(sim: FrankaSim, task: Task) -> Outcome:
    """The upper bound: drive a task with full knowledge of the state, under the planner's own limits."""
    task.start(sim)
    if isinstance(task, PickPlaceTask):
        for phase in task.phases:
            run_phase(sim, phase)
    elif isinstance(task, ReachTask | GripperTask):
        goal = task.goal_pose
        run_phase(sim, Phase(name=task.name, position=goal[:3], closedness=goal[6], steps=task.steps))
    return task.outcome(sim)


def _pictured(task: Task, sim: FrankaSim, name: str, pose: np.ndarray, steps: int) -> TaskGoal:
    task.start(sim)
    return TaskGoal(name=name, image=sim.goal_image(pose), pose=pose, block_pose=sim.block_pose, steps=steps)


def _draw_until(
    draw: Callable[[], tuple[np.ndarray, ...]], accept: Callable[..., bool | np.bool_]
) -> tuple[np.ndarray, ...]:
    for _ in range(_MAX_DRAWS):
        drawn = draw()
        if accept(*drawn):
            return drawn
    raise ValueError(f"no fitting start and goal in {_MAX_DRAWS} draws: choose a larger workspace")


def sample_block(rng: np.random.Generator, box: Workspace) -> np.ndarray:
    """A place on the table [2] around which the gripper can still work."""
    return rng.uniform(np.add(box.low[:2], 0.03), np.subtract(box.high[:2], 0.03))


def _passes_clear(start: np.ndarray, goal: np.ndarray, block: np.ndarray) -> bool:
    """Whether the straight way from start to goal [3] stays above the block [2] or well beside it."""
    way = start + np.linspace(0.0, 1.0, 9)[:, None] * (goal - start)
    beside = np.linalg.norm(way[:, :2] - block, axis=1) > _CLEARANCE
    return bool(np.all(beside | (way[:, 2] > CARRY_HEIGHT - 0.03)))
