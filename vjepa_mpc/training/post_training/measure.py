"""``vjepa-mpc post-train --measure``: what a step costs on this machine, before anything is recorded."""

from __future__ import annotations

import dataclasses
import resource
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from vjepa_mpc.training.post_training.recipe import Recipe
from vjepa_mpc.training.post_training.trainer import PostTrainer
from vjepa_mpc.worldmodel import MODEL_CONFIGS, ModelConfig, Predictor, PredictorConfig


def published_size(recipe: Recipe) -> ModelConfig:
    """The recipe's predictor behind the encoder of Meta's released model (ViT-g, 256 px)."""
    giant = MODEL_CONFIGS["vit_giant"]
    sizes = dataclasses.asdict(recipe.predictor)
    return dataclasses.replace(giant, predictor=PredictorConfig(embed_dim=giant.encoder.embed_dim, **sizes))


def measure(model: ModelConfig, recipe: Recipe, device: torch.device) -> str:
    """Take one step on random clips; size, time and memory in words."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        trainer = PostTrainer(Predictor(model).to(device), recipe.post_training)
        batch = _random_batch(model, recipe)
    start, busy = time.monotonic(), time.process_time()
    report = trainer.step(*batch)
    seconds, busy = time.monotonic() - start, time.process_time() - busy
    weights = sum(weight.numel() for weight in trainer.predictor.parameters())
    trained = sum(weight.numel() for weight in trainer.predictor.parameters() if weight.requires_grad)
    settings = recipe.post_training
    return (
        f"predictor of {weights / 1e6:.1f} M weights, {trained / 1e6:.1f} M of them trained, {settings.precision}, "
        f"activation checkpointing {'on' if settings.activation_checkpointing else 'off'}, {recipe.batch_size} clip(s) "
        f"of {recipe.clip_frames} frames of {model.tokens_per_frame} tokens, on {device}: one step takes "
        f"{seconds:.1f} s ({busy:.1f} s of CPU time) and {_peak_memory(device) / 2**30:.2f} GiB "
        f"(loss {report['loss']:.3f})"
    )


def _random_batch(model: ModelConfig, recipe: Recipe) -> tuple[Tensor, Tensor, Tensor]:
    clips, frames = recipe.batch_size, recipe.clip_frames
    latents = torch.randn(clips, frames * model.tokens_per_frame, model.latent_dim)
    actions = 0.03 * torch.randn(clips, frames - 1, 7)
    return F.layer_norm(latents, latents.shape[-1:]), actions, torch.randn(clips, frames, 7)


def _peak_memory(device: torch.device) -> int:
    """Bytes: of the GPU, or of the whole process with the libraries it has loaded."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
