"""What a post-training step does: losses, optimiser, schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa_mpc.options import check_options, option


class PostTrainingError(ValueError):
    """A run that cannot begin or go on; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class PostTrainingConfig:
    """The published recipe by default; upstream's names for upstream's settings.

    A run has ``ipe * epochs`` steps. Epochs exist for the schedules only.
    """

    ipe: int = option(300, "Steps of an epoch.", low=1, high=1e9)
    epochs: int = option(315, "Epochs of the run.", low=1, high=1e9)
    warmup: float = option(15, "Epochs in which the learning rate rises from start_lr to lr.", low=0.0, high=1e9)
    anneal: float = option(15, "Last epochs, in which the learning rate falls to final_lr.", low=0.0, high=1e9)
    start_lr: float = option(7.5e-5, "Learning rate at the start of the warm-up.", low=0.0, high=10.0)
    lr: float = option(4.25e-4, "Learning rate between warm-up and annealing.", low=0.0, high=10.0)
    final_lr: float = option(0.0, "Learning rate at the end.", low=0.0, high=10.0)
    weight_decay: float = option(0.04, "AdamW's decay of matrices at the start.", low=0.0, high=10.0)
    final_weight_decay: float = option(0.04, "The same at the end; between them a half cosine.", low=0.0, high=10.0)
    auto_steps: int = option(2, "Steps of the rollout whose error is the second loss.", low=1, high=1000)
    loss_exp: float = option(1.0, "Exponent of the absolute error in both losses.", low=0.1, high=10.0)
    normalize_reps: bool = option(True, "Layer-norm predictions before they are compared or predicted from.")
    betas: tuple[float, float] = option((0.9, 0.999), "AdamW's decay rates of both moments.", low=0.0, high=1.0)
    eps: float = option(1e-8, "AdamW's epsilon.", low=0.0, high=1.0)
    precision: str = option("fp32", "Number format of the networks' products.", choices=("fp32", "bf16"))
    activation_checkpointing: bool = option(False, "Compute each block twice to save its activations' memory.")
    micro_batch: int | None = option(
        None,
        "Clips in memory at a time; gradients of a batch's parts are summed. 0: the whole batch at once.",
        low=1,
        high=1e6,
        none_is=0,
    )
    action_dropout: float = option(0.0, "Share of actions that training replaces by no motion.", low=0.0, high=0.99)
    lora_rank: int = option(
        0, "Rank of the adapters that are trained instead of the matrices; 0: none.", low=0, high=1024
    )
    lora_alpha: float = option(
        16.0, "The adapters' contribution is scaled by lora_alpha / lora_rank.", low=0.0, high=1e4
    )
    seed: int = option(0, "Seed of action dropout and of the adapters.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))  # YAML and JSON give lists
        check_options(self)
        if len(self.betas) != 2:
            raise PostTrainingError(f"betas={self.betas}: give two numbers, as in [0.9, 0.999]")

    @property
    def steps(self) -> int:
        """Optimiser steps of a whole run."""
        return self.ipe * self.epochs

    def learning_rate(self, step: int) -> float:
        """Rate of a step, counted from 1: a linear rise, a plateau, a linear fall (upstream ``WSDSchedule``)."""
        warmup, anneal = int(self.warmup * self.ipe), int(self.anneal * self.ipe)
        anneal_start = self.steps - anneal
        if step < warmup:
            return self.start_lr + step / warmup * (self.lr - self.start_lr)
        if step < anneal_start:
            return self.lr
        progress = min(1.0, (step - anneal_start) / max(1, anneal))
        return self.lr + progress * (self.final_lr - self.lr)

    def decay(self, step: int) -> float:
        """Weight decay of a step, counted from 1: half a cosine from start to end (upstream ``CosineWDSchedule``)."""
        progress = min(1.0, step / self.steps)
        span = self.weight_decay - self.final_weight_decay
        return self.final_weight_decay + span * 0.5 * (1.0 + math.cos(math.pi * progress))
