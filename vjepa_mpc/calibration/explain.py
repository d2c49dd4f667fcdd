"""Asking the world model which moves explain the pictures before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.planning import GRIPPER, CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop

# A move may look longer than it was, and must not be explained by the edge of what the planner may answer.
_ROOM_FOR_ERROR = 1.5


def explain_moves(
    world_model: WorldModel,
    observations: Sequence[Observation],
    config: CEMConfig,
    crop: Crop = "square",
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Which translations the model sees between successive observations, and which the robot measured: both [n, 3].

    Args:
        world_model: sees the moves.
        observations: n + 1, taken at rest, one before and one after each move.
        config: of the planner; a move may be as long as its steps together, and the gripper is taken as still.
        crop: of the images.
        seed: of the planner's random numbers.
    """
    generator = torch.Generator(device=world_model.device).manual_seed(seed)
    planner = CEMPlanner(world_model, config, generator)
    latents = [world_model.encode(observation.image[None], crop=crop)[0] for observation in observations]
    poses = np.array([observation.pose for observation in observations])
    planned = []
    for before, after, pose in zip(latents, latents[1:], poses, strict=False):
        actions = planner.plan(before, torch.as_tensor(pose, dtype=torch.float32), after).actions
        planned.append(actions[:, :3].double().sum(dim=0).numpy())
    return np.array(planned), np.diff(poses[:, :3], axis=0)


def explaining_config(planner: CEMConfig, length: float) -> CEMConfig:
    """The planner's settings for explaining single moves that left the gripper alone."""
    room = max(planner.maxnorm, _ROOM_FOR_ERROR * length)
    return replace(planner, rollout=1, maxnorm=room, axis={GRIPPER: 0.0}, close_gripper=None, time_budget=None)
