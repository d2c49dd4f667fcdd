"""How visual MPC looks at the world: images become latents, and what is not seen yet is imagined."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.geometry.pose import pose_difference
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sight:
    """The world model's eyes.

    Attributes:
        world_model: encodes and predicts.
        crop: how images are cut to the model's square.
    """

    world_model: WorldModel
    crop: Crop

    def encode(self, image: np.ndarray) -> Tensor:
        """The latent [N, D] of an image, uint8 RGB [H, W, 3]."""
        return self.world_model.encode(image[None], crop=self.crop)[0]

    def compare(self, seen: Tensor, goals: Sequence[Tensor], goal_id: int) -> None:
        """Warn of goal pictures that are farther from what the camera shows than a picture of nothing is.

        Nearer ones say little: with the bundled model goals that are reached are up to 0.9 of that distance away, and
        the camera's own picture upside down is 0.7.

        Args:
            seen: [N, D] latent of the camera's picture.
            goals: [N, D] each.
            goal_id: for the message.
        """
        nothing = distance(seen, self.nothing)
        for index, goal in enumerate(goals):
            if (away := distance(seen, goal)) > nothing:
                logger.warning(
                    "goal %d: picture %d is %.3g away from what the camera shows (L1 of the latents), and a grey "
                    "picture only %.3g: was it taken by this camera, in this light, with its colours in this order?",
                    goal_id,
                    index,
                    away,
                    nothing,
                )

    @cached_property
    def nothing(self) -> Tensor:
        """The latent [N, D] of a grey picture, encoded once."""
        return self.encode(np.full((256, 256, 3), 128, dtype=np.uint8))

    def at_origin(self, latent: Tensor, observation: Observation, rotation: np.ndarray) -> Tensor:
        """What the camera will see at the observation's origin, as the world model predicts from what it sees now.

        Args:
            latent: [N, D] of the observation's image.
            observation: of an arm that may be on its way.
            rotation: [3, 3] from the model's action axes to the robot's.
        """
        if observation.start is None:
            return latent
        action = pose_difference(torch.from_numpy(observation.pose), torch.from_numpy(observation.origin))
        action[:3] = torch.from_numpy(rotation.T) @ action[:3]
        return self.after(latent, torch.from_numpy(observation.pose), action)

    @torch.no_grad()
    def after(self, latent: Tensor, pose: Tensor, action: Tensor) -> Tensor:
        """What the camera will see after an action, [N, D].

        Args:
            latent: [N, D] before it.
            pose: [7] before it.
            action: [7] along the model's axes.
        """
        pose, action = pose.float().to(latent.device), action.float().to(latent.device)
        rollout = self.world_model.start_rollout(latent, pose, samples=1, horizon=1, past_actions=None)
        return rollout.step(action[None])[0].clone()


def distance(first: Tensor, second: Tensor) -> float:
    """Mean absolute difference; waits for the device."""
    return float((first.float() - second.float()).abs().mean())
