"""Keypoints lie where the simulator draws fingers and block."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_mpc.sim import Camera, FrankaSim, SimConfig
from vjepa_mpc.training.keypoints import KeypointHead, label_keypoints, project
from vjepa_mpc.training.labels import frame_labels

SIZE = 128


@pytest.mark.sim
@pytest.mark.parametrize("turn", [0.0, 12.0])
def test_projection_hits_the_colours(turn: float) -> None:
    config = SimConfig(image_size=SIZE, camera=Camera(turn=turn))
    with FrankaSim(config) as sim:
        sim.reset(block_position=np.array([0.6, 0.05]), block_yaw=0.1)
        image = sim.render().astype(int)
        labels = torch.from_numpy(frame_labels(sim.pose[None], sim.block_pose[None]))
    points = project(label_keypoints(labels), config.camera, SIZE)[0]
    red, green, blue = np.moveaxis(image, -1, 0)
    masks = (blue - red > 80, np.minimum(red, green) - blue > 80, red - green > 80)  # left finger, right finger, block
    for point, mask in zip(points.numpy(), masks, strict=True):
        rows, columns = np.nonzero(mask)
        assert np.abs(point - [columns.mean(), rows.mean()]).max() < 4.0


def test_closing_brings_the_fingers_together() -> None:
    labels = torch.tensor([[0.5, 0.0, 0.1, 0.0, 0.6, 0.0, 0.025], [0.5, 0.0, 0.1, 1.0, 0.6, 0.0, 0.025]])
    left, right, _ = label_keypoints(labels).unbind(1)
    assert torch.allclose((right - left)[:, 1], torch.tensor([0.096, 0.016]))


def test_loss_is_small_only_for_the_right_tokens() -> None:
    torch.manual_seed(0)
    head = KeypointHead(8, 16, Camera())
    latents = torch.randn(4, 64, 16)
    labels = torch.tensor([[0.5, 0.0, 0.15, 0.5, 0.55, 0.05, 0.025]]).repeat(4, 1)
    optimiser = torch.optim.Adam([*head.parameters(), latents.requires_grad_()], lr=0.03)
    first = float(head.loss(latents, labels).detach())
    for _ in range(150):
        optimiser.zero_grad()
        loss = head.loss(latents, labels)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.05 * first
