"""How visual MPC looks at the world: images become latents, and what is not seen yet is imagined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.geometry.pose import pose_difference
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop


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
        pose = torch.as_tensor(observation.pose, dtype=torch.float32, device=latent.device)
        with torch.no_grad():
            rollout = self.world_model.start_rollout(latent, pose, samples=1, horizon=1, past_actions=None)
            return rollout.step(action.float().to(latent.device)[None])[0].clone()
