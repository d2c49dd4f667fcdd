"""One optimiser step of post-training after the other, as upstream's ``app/vjepa_droid/train.py`` takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.utils.checkpoint import checkpoint

from vjepa_mpc.training.post_training.config import PostTrainingConfig, PostTrainingError
from vjepa_mpc.training.post_training.lora import adapt, merged
from vjepa_mpc.training.post_training.objective import Losses, Objective
from vjepa_mpc.training.post_training.parallel import Parallel
from vjepa_mpc.worldmodel import Predictor


class PostTrainer:
    """Trains a predictor in place on latents of a frozen encoder.

    Where torch.distributed is set up, every rank makes one and gives :meth:`step` its own rows of the batch: those
    that :meth:`Parallel.share` cuts out.

    Attributes:
        predictor: the module that was given, now with float32 weights (and adapters, if the config asks for them).
        step_number: optimiser steps taken so far.
    """

    def __init__(
        self, predictor: Predictor, config: PostTrainingConfig | None = None, parallel: Parallel | None = None
    ) -> None:
        self.config = config or PostTrainingConfig()
        self.parallel = parallel or Parallel.current()
        self.predictor = _prepared(predictor, self.config)
        self.device = predictor.predictor_norm.weight.device
        self.objective = Objective(self.predictor, self.config)
        self.wrapped = self.parallel.wrap(self.objective, self.predictor.blocks)
        self.optimiser = _optimiser(self.objective, self.config)
        self.step_number = 0

    def step(self, latents: Tensor, actions: Tensor, states: Tensor) -> dict[str, float]:
        """Learn from a batch of clips.

        Args:
            latents: [B, T·N, D], layer-normed as in planning, in any float dtype.
            actions: [B, T-1, 7], what leads from one state to the next (metres, radians, closedness).
            states: [B, T, 7].

        Returns:
            ``loss`` and its parts ``jloss`` (teacher forcing) and ``sloss`` (rollout), means over the batch of all
            ranks; ``lr`` and ``wd`` of the step; ``grad_norm`` of all gradients together.

        Raises:
            PostTrainingError: the shapes do not fit together, or the loss is not finite; nothing was changed then.
        """
        self._check(latents, actions, states)
        number = self.step_number + 1
        rate, decay = self._schedule(number)
        actions = self._dropped(actions, number)
        losses = self.parallel.mean(self._accumulate(latents, actions, states))
        teacher_forced, rollout, loss = losses.tolist()
        if not torch.isfinite(losses).all():
            self.optimiser.zero_grad(set_to_none=True)
            raise PostTrainingError(
                f"the loss of step {number} is {loss}: lower lr={self.config.lr:g}, or look for recordings with "
                "impossible numbers (`vjepa-mpc data inspect`)"
            )
        norm = self._gradient_norm()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step_number = number
        return {"loss": loss, "jloss": teacher_forced, "sloss": rollout, "lr": rate, "wd": decay, "grad_norm": norm}

    @torch.no_grad()
    def losses(self, latents: Tensor, actions: Tensor, states: Tensor) -> Losses:
        """Both losses of a batch (see :meth:`step`) without learning from it; of this rank's rows alone."""
        with self._autocast():
            return self.wrapped(*self._on_device(latents, actions, states))

    def predictor_state(self) -> dict[str, Tensor]:
        """The predictor's whole weights on the CPU, adapters merged. All ranks must call; only the first gets them."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        state = get_model_state_dict(self.predictor, options=options)
        return merged(cast("dict[str, Tensor]", state), self.config.lora_alpha / max(1, self.config.lora_rank))

    def _check(self, latents: Tensor, actions: Tensor, states: Tensor) -> None:
        clips, frames = states.shape[:2]
        expected = {
            "latents": (latents, (clips, frames * self.objective.tokens, self.predictor.predictor_embed.in_features)),
            "actions": (actions, (clips, frames - 1, 7)),
            "states": (states, (clips, frames, 7)),
        }
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape or frames < 2 or clips < 1:
                raise PostTrainingError(
                    f"{name} are {list(tensor.shape)}: expected latents [B, T*{self.objective.tokens}, D], actions "
                    f"[B, T-1, 7] and states [B, T, 7] with T >= 2; states are {list(states.shape)}"
                )

    def _schedule(self, number: int) -> tuple[float, float]:
        rate, decay = self.config.learning_rate(number), self.config.decay(number)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.param_groups[0]["weight_decay"] = decay
        return rate, decay

    def _dropped(self, actions: Tensor, number: int) -> Tensor:
        """Some actions replaced by zeros: the same ones whatever the number of ranks, and after a resume."""
        if not self.config.action_dropout:
            return actions
        draws = np.random.default_rng([self.config.seed, number])
        rows = draws.random((len(actions) * self.parallel.world, actions.shape[1], 1))
        mine = rows[len(actions) * self.parallel.rank :][: len(actions)]
        return actions * torch.from_numpy(mine >= self.config.action_dropout).to(actions)

    def _accumulate(self, *batch: Tensor) -> Tensor:
        """Gradients of the batch, one part after the other; the losses [teacher forced, rollout, sum]."""
        count = len(batch[0])
        parts = list(zip(*(tensor.split(self.config.micro_batch or count) for tensor in batch), strict=True))
        total = torch.zeros(3, device=self.device)
        for index, part in enumerate(parts):
            share = len(part[0]) / count
            with self._synchronised(index == len(parts) - 1):
                with self._autocast():
                    losses = self.wrapped(*self._on_device(*part))
                    loss = losses.teacher_forced + losses.rollout
                (loss * share).backward()
            total += torch.stack([*losses, loss]).detach().float() * share
        return total

    @contextlib.contextmanager
    def _synchronised(self, last: bool) -> Iterator[None]:
        """Exchange gradients between ranks with the last part of a batch only."""
        if isinstance(self.wrapped, nn.parallel.DistributedDataParallel) and not last:
            with self.wrapped.no_sync():
                yield
            return
        if self.parallel.sharded:
            self.wrapped.set_requires_gradient_sync(last)  # type: ignore[operator]  # fully_shard adds the method
        yield

    def _on_device(self, *tensors: Tensor) -> list[Tensor]:
        # Moved before they are widened: latents lie in half precision in the cache.
        return [tensor.to(self.device, non_blocking=True).float() for tensor in tensors]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

    def _gradient_norm(self) -> float:
        gradients = [weight.grad for weight in self.objective.parameters() if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # each rank of FSDP2 knows a part
        return float(whole)


def _prepared(predictor: Predictor, config: PostTrainingConfig) -> Predictor:
    """The predictor with float32 weights that learn, but for those that no published code uses."""
    predictor.float().train().requires_grad_(True)
    if config.lora_rank:
        adapt(predictor, config.lora_rank, config.lora_alpha, config.seed)
    predictor.extrinsics_encoder.requires_grad_(False)
    if config.activation_checkpointing:
        for block in predictor.blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
    return predictor


def _optimiser(module: nn.Module, config: PostTrainingConfig) -> torch.optim.AdamW:
    """AdamW; only matrices decay (the first group)."""
    trained = [(name, weight) for name, weight in module.named_parameters() if weight.requires_grad]
    decays = [weight for name, weight in trained if weight.ndim != 1 and "bias" not in name]
    others = [weight for name, weight in trained if weight.ndim == 1 or "bias" in name]
    groups: list[dict[str, Any]] = [{"params": decays}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.start_lr, betas=config.betas, eps=config.eps)
