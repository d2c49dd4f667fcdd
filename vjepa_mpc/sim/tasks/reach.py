"""Reach: bring the gripper from one place to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.sim.config import Workspace
from vjepa_mpc.sim.drawing import draw_until, passes_clear, sample_block, sample_yaw
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.sim.tasks._one_picture import OnePictureTask
from vjepa_mpc.sim.tasks.interface import Outcome, Scene


@dataclass(frozen=True, kw_only=True)
class ReachTask(OnePictureTask):
    """Bring the gripper from one place to another, 10 to 25 cm away; a block lies out of the way."""

    success_means = "the gripper ends within 2.5 cm of the goal pose (start 10 to 25 cm away, at most 10 steps)"
    distance_means = "gripper to goal"
    promised_rate = 0.94
    steps = 10

    @classmethod
    def sample(cls, rng: np.random.Generator, workspace: Workspace | None = None) -> ReachTask:
        """Draw a start and a goal whose straight connection keeps clear of the block."""
        box = workspace or Workspace()

        def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return rng.uniform(box.low, box.high), rng.uniform(box.low, box.high), sample_block(rng, box)

        start, goal, block = draw_until(
            draw, lambda s, g, b: 0.10 <= np.linalg.norm(g - s) <= 0.25 and passes_clear(s, g, b)
        )
        closedness = float(rng.integers(2))
        return cls(
            start_pose=down_pose(start, closedness),
            goal_pose=down_pose(goal, closedness),
            block_position=block,
            block_yaw=sample_yaw(rng),
        )

    def outcome(self, scene: Scene) -> Outcome:
        """Success is an arm within 2.5 cm of the goal."""
        distance = self.start_distance(scene)
        return Outcome(success=distance <= self.reached_within, distance=distance, closedness=scene.closedness)
