"""The poses that commands in the simulator are made of: gripper down, a step at a time."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.sim.kinematics import DOWN

MAX_STEP = 0.075  # metres per axis: what one step of the planner can do


def down_pose(position: np.ndarray, closedness: float = 0.0) -> np.ndarray:
    """The pose [7] with the gripper pointing down at a position [3]."""
    return np.array([*position, *DOWN, closedness])


def step_towards(pose: np.ndarray, position: np.ndarray, max_step: float = MAX_STEP) -> np.ndarray:
    """The pose [7] at most `max_step` per axis nearer to a position [3], gripper down."""
    return down_pose(pose[:3] + np.clip(position - pose[:3], -max_step, max_step))
