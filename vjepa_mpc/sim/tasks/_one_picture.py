"""Tasks of one goal picture: bring the arm to a goal pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.tasks.interface import Phase, Scene, Task, TaskGoal


@dataclass(frozen=True, kw_only=True)
class OnePictureTask(Task):
    """Bring the arm to a goal pose that one picture shows; how far it is from there is the task's distance.

    Attributes:
        goal_pose: [7] of the arm.
        steps: budget of MPC steps.
    """

    steps: ClassVar[int]

    goal_pose: np.ndarray

    @property
    def goal_name(self) -> str:
        """What has happened when the goal is reached, in a word."""
        return "reached"

    def script(self) -> tuple[Phase, ...]:
        """Straight there."""
        position, closedness = self.goal_pose[:3], self.goal_pose[6]
        return (Phase(name=self.goal_name, position=position, closedness=closedness, steps=self.steps),)

    def goals(self, sim: FrankaSim) -> tuple[TaskGoal, ...]:
        """One picture."""
        self.start(sim)
        image = sim.goal_image(self.goal_pose)
        return (
            TaskGoal(
                name=self.goal_name, image=image, pose=self.goal_pose, block_pose=sim.block_pose, steps=self.steps
            ),
        )

    def start_distance(self, scene: Scene) -> float:
        """Arm to goal."""
        return float(np.linalg.norm(scene.pose[:3] - self.goal_pose[:3]))
