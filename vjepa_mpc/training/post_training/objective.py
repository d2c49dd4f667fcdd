"""The two losses of post-training: each step predicted from the truth, and a rollout from the first frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vjepa_mpc.training.post_training.config import PostTrainingConfig
from vjepa_mpc.worldmodel import Predictor
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features


class Losses(NamedTuple):
    """Scalars: mean errors of teacher forcing over all steps, and of the rollout."""

    teacher_forced: Tensor
    rollout: Tensor


class Objective(nn.Module):
    """Both losses of a batch in one forward pass, so that distributed wrappers see one module and one call."""

    def __init__(self, predictor: Predictor, config: PostTrainingConfig) -> None:
        super().__init__()
        self.predictor = predictor
        self.tokens = predictor.tokens_per_frame
        self.normalise = config.normalize_reps
        self.exponent = config.loss_exp
        self.rollout_steps = config.auto_steps

    def predict(self, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Latents [B, T·N, D], actions and states [B, T, 7] -> the next frames' latents [B, T·N, D]."""
        predicted = self.predictor(latents, actions, states)
        return layer_norm_features(predicted) if self.normalise else predicted

    def forward(self, latents: Tensor, actions: Tensor, states: Tensor) -> Losses:
        """Latents [B, T·N, D] as frames are encoded for planning, actions [B, T-1, 7], states [B, T, 7].

        The first step of the rollout is the first one of teacher forcing, so it is computed once. A clip of T frames
        has T - 1 steps, and its rollout no more of them.
        """
        forced = self.predict(latents[:, : -self.tokens], actions, states[:, :-1])
        rolled = self.roll_out(latents[:, : self.tokens], forced[:, : self.tokens], actions, states)
        return Losses(self.error(forced, latents), self.error(rolled, latents))

    def roll_out(self, first: Tensor, second: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Go on from a frame [B, N, D] and the prediction after it; all predictions [B, steps·N, D]."""
        history = torch.cat([first, second], dim=1)
        for step in range(2, min(self.rollout_steps, actions.shape[1]) + 1):
            predicted = self.predict(history, actions[:, :step], states[:, :step])
            history = torch.cat([history, predicted[:, -self.tokens :]], dim=1)
        return history[:, self.tokens :]

    def error(self, predicted: Tensor, latents: Tensor) -> Tensor:
        """Mean error of predictions of the frames from the second one on."""
        target = latents[:, self.tokens : self.tokens + predicted.shape[1]]
        return ((predicted - target).abs() ** self.exponent).mean() / self.exponent
