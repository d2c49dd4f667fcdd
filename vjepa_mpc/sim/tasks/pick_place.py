"""Pick and place: lift the block and put it down somewhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.sim.config import Workspace
from vjepa_mpc.sim.drawing import BLOCK_YAW, CARRY_HEIGHT, draw_until, sample_block, sample_yaw
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.sim.tasks.interface import Outcome, Phase, Scene, Task, TaskGoal, run_phase

GRASP_HEIGHT = 0.027
RELEASED_BELOW = 0.25  # closedness

_RESTING_WITHIN = 0.006  # metres of height: a block that leans or hangs is not placed


@dataclass(frozen=True, kw_only=True)
class PickPlaceTask(Task):
    """Pick the block up and put it down somewhere else, following eight sub-goal pictures."""

    success_means = (
        "the block rests on the table within 2.5 cm of its target and the gripper is open (eight sub-goal images with "
        "step budgets 4, 4, 3, 4, 5, 4, 3, 3; block anywhere in the workspace, turned up to 15 degrees)"
    )
    distance_means = "block to target"
    promised_rate = 0.85

    target_position: np.ndarray

    @classmethod
    def sample(
        cls, rng: np.random.Generator, workspace: Workspace | None = None, *, max_yaw: float = BLOCK_YAW
    ) -> PickPlaceTask:
        """Draw block, target at least 8 cm from it, and an arm pose above the table."""
        box = workspace or Workspace()
        block, target = draw_until(
            lambda: (sample_block(rng, box), sample_block(rng, box)), lambda b, t: np.linalg.norm(t - b) >= 0.08
        )
        start = rng.uniform((*box.low[:2], CARRY_HEIGHT), (*box.high[:2], box.high[2] - 0.02))
        return cls(
            start_pose=down_pose(start),
            block_position=block,
            block_yaw=sample_yaw(rng, max_yaw),
            target_position=target,
        )

    def script(self) -> tuple[Phase, ...]:
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

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """Eight pictures, taken at the end of each phase of a scripted run from the same start."""
        self.start(sim)
        goals = []
        for phase in self.script():
            run_phase(sim, phase)
            image = sim.render()
            goals.append(
                TaskGoal(name=phase.name, image=image, pose=sim.pose, block_pose=sim.block_pose, steps=phase.steps)
            )
        return tuple(goals)

    def outcome(self, scene: Scene) -> Outcome:
        """Success is a block resting on the table within 2.5 cm of the target, let go by the gripper."""
        distance, closedness = self.start_distance(scene), scene.closedness
        resting = abs(scene.block_pose[2] - scene.block_size / 2) <= _RESTING_WITHIN
        success = distance <= self.reached_within and resting and closedness <= RELEASED_BELOW
        return Outcome(success=bool(success), distance=distance, closedness=closedness)

    def start_distance(self, scene: Scene) -> float:
        """Block to target, on the table's plane."""
        return float(np.linalg.norm(scene.block_pose[:2] - self.target_position))
