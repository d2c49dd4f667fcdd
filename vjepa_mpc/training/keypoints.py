"""Where fingertips and block appear in the picture: a training-only loss that makes tokens find them.

The fingers are seven pixels wide. A regression of the gripper's closedness from whole latents finds them late; asking
the tokens which of them shows which finger, and where in its patch, finds them early.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from vjepa_mpc.sim.config import Camera

#: Left finger, right finger, block.
KEYPOINTS = 3
_FINGER_TRAVEL = 0.04  # metres that a finger moves
_FINGER_MIDDLE = 0.008  # metres from a finger's inner face to its middle
_FINGER_CENTRE_HEIGHT = 0.012  # metres of the visible sleeve's centre above the tool centre point
_BLUR = 0.5  # patches: spread of the target distribution over tokens


def label_keypoints(labels: Tensor) -> Tensor:
    """Points `[B, 3, 3]` in metres (fingers, block) of labels `[B, 7]` of a gripper that points down."""
    tool, block = labels[:, 0:3], labels[:, 4:7]
    opening = _FINGER_TRAVEL * (1.0 - labels[:, 3]) + _FINGER_MIDDLE
    offset = torch.stack([torch.zeros_like(opening), opening, torch.zeros_like(opening)], dim=-1)
    centre = tool + torch.tensor([0.0, 0.0, _FINGER_CENTRE_HEIGHT])
    return torch.stack([centre - offset, centre + offset, block], dim=1)


def project(points: Tensor, camera: Camera, patches: int) -> Tensor:
    """Image coordinates `[..., 2]` (column, row) of points `[..., 3]`, in patches from the upper left corner."""
    position, axes = (torch.from_numpy(part).float() for part in camera.placement())
    right, up, backwards = ((points - position) @ axes).unbind(-1)
    scale = patches / 2 / math.tan(math.radians(camera.fovy) / 2)
    centre = patches / 2
    return torch.stack([centre - scale * right / backwards, centre + scale * up / backwards], dim=-1)


class KeypointHead(nn.Module):
    """For each token and keypoint: how likely it is here (softmax over tokens), and its offset from the centre."""

    def __init__(self, patches: int, embed_dim: int, camera: Camera) -> None:
        super().__init__()
        self.patches, self.camera = patches, camera
        self.read = nn.Linear(embed_dim, 3 * KEYPOINTS)
        middle = torch.arange(patches) + 0.5
        rows, columns = torch.meshgrid(middle, middle, indexing="ij")
        self.centres: Tensor
        self.register_buffer("centres", torch.stack([columns, rows], dim=-1).reshape(1, -1, 1, 2))

    def loss(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of the place among the tokens plus the error of the expected position.

        Args:
            latents: `[B, N, D]`.
            labels: raw labels `[B, 7]`.
        """
        target = project(label_keypoints(labels), self.camera, self.patches).clamp(0.0, float(self.patches))
        distance = (self.centres - target.unsqueeze(1)).square().sum(dim=-1)
        place = torch.softmax(-distance / (2.0 * _BLUR**2), dim=1)
        logits, offsets = self.read(latents).unflatten(-1, (KEYPOINTS, 3)).split([1, 2], dim=-1)
        log_likely = torch.log_softmax(logits.squeeze(-1), dim=1)
        found = (log_likely.exp().unsqueeze(-1) * (self.centres + offsets)).sum(dim=1)
        divergence = functional.kl_div(log_likely, place, reduction="none").sum(dim=1).mean()
        return 0.3 * divergence + 2.0 * functional.smooth_l1_loss(found, target, beta=0.05)
