"""What visual MPC's planner is asked for one action: the settings and proposals of the moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig


def config_for(goal: SubGoal, steps: int, config: CEMConfig) -> CEMConfig:
    """The planner's settings for one action: the sub-goal's overrides, and from when on the gripper closes."""
    overrides, closes_at = goal.overrides, goal.gripper.closes_at
    if overrides.maxnorm is not None:
        config = replace(config, maxnorm=overrides.maxnorm)
    if overrides.horizon is not None:
        config = replace(config, rollout=overrides.horizon)
    if closes_at is not None and closes_at - steps < config.rollout:
        return replace(config, close_gripper=max(closes_at - steps, 0))
    return config


def proposals_for(observation: Observation, rotation: np.ndarray) -> Tensor | None:
    """The observation's proposals along the model's axes; ``rotation`` leads from there to the robot's."""
    if observation.proposals is None:
        return None
    proposals = observation.proposals.copy()
    proposals[..., :3] = proposals[..., :3] @ rotation  # from the left, a row is turned by the transpose
    return torch.from_numpy(proposals)
