"""How well a world model predicts what the camera sees after what the arm did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.judging.stretches import Stretch, actions_between
from vjepa_mpc.worldmodel import Crop, WorldModel


@dataclass(frozen=True, kw_only=True)
class PredictionErrors:
    """Mean absolute errors of latents over one stretch, one entry a step.

    Attributes:
        name: of the stretch.
        predicted: with the actions that were made.
        shuffled: with the actions of another stretch; as low as ``predicted`` where actions are not understood.
        copied: of taking the first frame for all later ones; lower than ``predicted`` where nothing is understood.
    """

    name: str
    predicted: tuple[float, ...]
    shuffled: tuple[float, ...]
    copied: tuple[float, ...]


@torch.no_grad()
def prediction_errors(world_model: WorldModel, stretch: Stretch, other: Stretch, crop: Crop) -> PredictionErrors:
    """What is predicted of a stretch, with its own actions and with those of another one of as many steps.

    Raises:
        DataError: its pictures cannot be read.
    """
    latents = world_model.encode(stretch.images(range(stretch.steps + 1)), crop=crop)
    actions = np.stack([actions_between(each.states) for each in (stretch, other)])
    predicted = roll_out(world_model, latents[0], stretch.states[0], actions)
    rows = [(latent_error(step, after), after) for step, after in zip(predicted, latents[1:], strict=True)]
    return PredictionErrors(
        name=stretch.name,
        predicted=tuple(float(errors[0]) for errors, _ in rows),
        shuffled=tuple(float(errors[1]) for errors, _ in rows),
        copied=tuple(float(latent_error(latents[:1], after)[0]) for _, after in rows),
    )


@torch.no_grad()
def roll_out(world_model: WorldModel, context: Tensor, state: np.ndarray, actions: np.ndarray) -> Sequence[Tensor]:
    """Latents [S, N, D] after each of the H steps.

    Args:
        world_model: predicts.
        context: [N, D] latent of the first frame.
        state: [7] at the first frame.
        actions: [S, H, 7].
    """
    samples, horizon = actions.shape[:2]
    pose, moves = (torch.as_tensor(each, dtype=torch.float32).to(world_model.device) for each in (state, actions))
    rollout = world_model.start_rollout(context, pose, samples, horizon)
    return [rollout.step(step) for step in moves.unbind(dim=1)]


def latent_error(predicted: Tensor, latent: Tensor) -> Tensor:
    """Mean absolute differences [S] of latents [S, N, D] from one [N, D]: the published energy."""
    return (predicted.float() - latent.float()).abs().mean(dim=(-2, -1))
