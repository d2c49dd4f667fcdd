"""Demonstrations in the simulator as videos, and goals that are found in them.

The task's script is driven smoothly, with a pause after each phase, as a person would guide the arm.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vjepa_mpc.data.videos.writing import FILM, VideoFile
from vjepa_mpc.demonstrations.proposal import Pace, propose
from vjepa_mpc.demonstrations.source import open_demonstration
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.sim.tasks import Task, TaskGoal
from vjepa_mpc.worldmodel import WorldModel

FPS = 10.0
_SPEED = 0.12  # metres a second on average
_PAUSE = 0.8  # seconds after each phase, in which the gripper works


class DemonstratedGoals:
    """Makes goals from nothing but a video of one demonstration with the task's start.

    Args:
        world_model: whose latents tell which pictures matter.
    """

    def __init__(self, world_model: WorldModel) -> None:
        self._world_model = world_model

    def __call__(self, sim: FrankaSim, task: Task) -> Sequence[TaskGoal]:
        """The goals; the simulator is left at the end of the script."""
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "demonstration.mp4"
            record_demonstration(sim, task, video)
            found = propose(self._world_model, "square", open_demonstration(video), Pace())
        # Nobody knows from a video where arm and block are in a picture: these are of the end.
        return tuple(
            TaskGoal(name=each.why, image=each.picture, pose=sim.pose, block_pose=sim.block_pose, steps=each.steps)
            for each in found
        )


def record_demonstration(sim: FrankaSim, task: Task, path: Path) -> None:
    """Drive a task's script from its start, and write what the camera sees.

    Args:
        sim: is left at the end of the script.
        task: whose start and script.
        path: of the video.
    """
    task.start(sim)
    size = sim.config.image_size
    video = VideoFile(path, FPS, (size, size), FILM)
    video.append(sim.render())
    position, closedness = sim.pose[:3], 0.0
    for phase in task.script():
        way = phase.position - position
        ticks = max(1, round(float(np.linalg.norm(way)) / _SPEED * FPS))
        for tick in range(1, ticks + 1):
            _move(sim, video, position + _smooth(tick / ticks) * way, closedness)
        position, closedness = phase.position, phase.closedness
        for _ in range(round(_PAUSE * FPS)):
            _move(sim, video, position, closedness)
    video.close()


def _move(sim: FrankaSim, video: VideoFile, position: np.ndarray, closedness: float) -> None:
    sim.command(down_pose(position), closedness)
    sim.step(1.0 / FPS)
    video.append(sim.render())


def _smooth(share: float) -> float:
    """Minimum jerk, from 0 to 1."""
    return share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
