"""Gripper: open or close the empty gripper where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.sim.config import Workspace
from vjepa_mpc.sim.drawing import draw_until, passes_clear, sample_block, sample_yaw
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.sim.tasks._one_picture import OnePictureTask
from vjepa_mpc.sim.tasks.interface import Outcome, Scene


@dataclass(frozen=True, kw_only=True)
class GripperTask(OnePictureTask):
    """Open or close the empty gripper where it is."""

    success_means = (
        "the closedness ends within 0.25 of the goal image's and the gripper within 5 cm of its place (4 steps)"
    )
    distance_means = "gripper to where it was"
    reached_within = 0.05
    promised_rate = 0.90
    steps = 4

    @classmethod
    def sample(cls, rng: np.random.Generator, workspace: Workspace | None = None) -> GripperTask:
        """Draw a place clear of the block, and whether to open or to close."""
        box = workspace or Workspace()
        place, block = draw_until(
            lambda: (rng.uniform(box.low, box.high), sample_block(rng, box)), lambda p, b: passes_clear(p, p, b)
        )
        closedness = float(rng.integers(2))
        return cls(
            start_pose=down_pose(place, closedness),
            goal_pose=down_pose(place, 1.0 - closedness),
            block_position=block,
            block_yaw=sample_yaw(rng),
        )

    @property
    def goal_name(self) -> str:
        """What has happened to the gripper."""
        return "closed" if self.goal_pose[6] > 0.5 else "opened"

    def outcome(self, scene: Scene) -> Outcome:
        """Success is a gripper within 0.25 of the wanted closedness and an arm within 5 cm of its place."""
        distance, closedness = self.start_distance(scene), scene.closedness
        success = abs(closedness - self.goal_pose[6]) <= 0.25 and distance <= self.reached_within
        return Outcome(success=bool(success), distance=distance, closedness=closedness)
