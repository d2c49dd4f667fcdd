"""A world model that knows what its pictures show, and recordings of it; either can be made wrong in one way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from vjepa_mpc.worldmodel import PointMassWorldModel

SIZE = 16
_GRIPPER_SCALE = 0.1  # metres that opening the gripper counts as


class ExactModel:
    """The upper half of the picture is a point's position as a colour, the lower half the closedness as a grey.

    Args:
        turn: degrees about the vertical by which it takes actions to be turned.
        heeds: share of an action that it takes into account.
    """

    tokens_per_frame, embed_dim = 1, 4
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, turn: float = 0.0, heeds: float = 1.0) -> None:
        self._point = PointMassWorldModel()
        rotation = Rotation.from_euler("z", turn, degrees=True).as_matrix()
        self._effect = heeds * torch.tensor(rotation, dtype=torch.float32)

    def encode(self, images: np.ndarray | Tensor, crop: str = "square") -> Tensor:
        pictures = torch.as_tensor(images)
        half = pictures.shape[1] // 2
        closedness = pictures[:, half:].float().mean(dim=(1, 2, 3)) / 255.0
        position = self._point.encode(pictures[:, :half])
        return torch.cat([position, _GRIPPER_SCALE * closedness[:, None, None]], dim=-1)

    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Any = None
    ) -> Any:
        return _ExactRollout(context.reshape(-1, 1, 4)[-1], pose.reshape(-1, 7)[-1], self._effect)

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        return 16


class _ExactRollout:
    """It goes by the closedness of the pose, as V-JEPA 2-AC goes by its state token."""

    def __init__(self, start: Tensor, pose: Tensor, effect: Tensor) -> None:
        self._start, self._effect = start.clone(), effect
        self._start[:, 3] = _GRIPPER_SCALE * pose[6]
        self.reset()

    def reset(self) -> None:
        self._now = self._start

    def step(self, actions: Tensor) -> Tensor:
        position = self._now[..., :3] + (actions[:, :3] @ self._effect.T)[:, None]
        closedness = (self._now[..., 3:] + _GRIPPER_SCALE * actions[:, None, 6:]).clamp(0.0, _GRIPPER_SCALE)
        self._now = torch.cat([position, closedness], dim=-1)
        return self._now


def exact() -> ExactModel:
    """For ``--model``."""
    return ExactModel()


def deaf() -> ExactModel:
    """It takes no notice of actions."""
    return ExactModel(heeds=0.0)


def turned() -> ExactModel:
    """It sees through a camera that is turned by 40°."""
    return ExactModel(turn=40.0)


def draw(state: np.ndarray) -> np.ndarray:
    """What a camera sees of a state [7]: uint8 [SIZE, SIZE, 3]."""
    upper = PointMassWorldModel().render(state, SIZE)[: SIZE // 2]
    lower = np.full((SIZE // 2, SIZE, 3), round(255 * state[6]), np.uint8)
    return np.concatenate([upper, lower])


def states(episode: int, length: int) -> np.ndarray:
    """Float64 [length, 7] of an arm that moves about a box at random, and opens and closes its gripper."""
    rng = np.random.default_rng(episode)
    found = np.zeros((length, 7))
    found[:, 3] = np.pi
    found[0, :3] = 0.55, 0.0, 0.25
    for before, now in itertools.pairwise(found):
        now[:3] = np.clip(before[:3] + rng.uniform(-0.04, 0.04, 3), (0.35, -0.25, 0.05), (0.75, 0.25, 0.45))
        now[6] = 1.0 - before[6] if rng.uniform() < 0.2 else before[6]
    return found


def write(path: Path, *, episodes: int = 4, length: int = 40, shuffled: bool = False, bgr: bool = False) -> Path:
    """Recordings of an arm, four states a second.

    Args:
        path: of the npz file.
        episodes: how many.
        length: frames of each.
        shuffled: the pictures are those of other moments.
        bgr: red and blue are swapped.
    """
    truth = np.stack([states(episode, length) for episode in range(episodes)])
    pictures = np.stack([[draw(state) for state in each] for each in truth])
    if shuffled:
        pictures = pictures[:, np.random.default_rng(0).permutation(length)]
    np.savez(path, observations=pictures[..., ::-1] if bgr else pictures, states=truth)
    return path
