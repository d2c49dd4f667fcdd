"""What a predictor in training knows about episodes that it is not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vjepa_mpc.training.post_training.latents.clips import Batch, Clips, Pick
from vjepa_mpc.training.post_training.trainer import PostTrainer

FIGURES = ("rollout", "teacher_forced", "shuffled", "copy")


def held_out_errors(trainer: PostTrainer, clips: Clips, picks: Sequence[Pick]) -> dict[str, float]:
    """Errors on held-out clips in the units of the loss; all ranks must call, and all get the same.

    Returns:
        ``rollout``: of the rollout, by which the best predictor is chosen; ``teacher_forced``: one step from the
        truth; ``shuffled``: the rollout with another clip's actions (near ``rollout`` where actions are not
        understood); ``copy``: taking the first frame for every one of the rollout.
    """
    sums = torch.zeros(len(FIGURES) + 1, device=trainer.device)
    for index, weight in _turns(len(picks), trainer):
        sums += weight * _clip_errors(trainer, clips, picks[index], picks[(index + len(picks) // 2) % len(picks)])
    *errors, count = trainer.parallel.total(sums).tolist()
    return {name: error / count for name, error in zip(FIGURES, errors, strict=True)}


def _turns(count: int, trainer: PostTrainer) -> list[tuple[int, float]]:
    """This rank's clips, as many on every rank (FSDP2 needs all in step): the padding has no weight."""
    rank, world = trainer.parallel.rank, trainer.parallel.world
    return [(index % count, float(index < count)) for index in range(rank, -(-count // world) * world, world)]


def _clip_errors(trainer: PostTrainer, clips: Clips, pick: Pick, other: Pick) -> Tensor:
    batch = clips.load([pick])
    found = trainer.losses(*batch)
    shuffled = trainer.losses(*clips.load([pick], actions_of=[other]))
    copied, one = _copy_error(trainer, batch), torch.ones((), device=trainer.device)
    return torch.stack([found.rollout, found.teacher_forced, shuffled.rollout, copied, one]).float()


def _copy_error(trainer: PostTrainer, batch: Batch) -> Tensor:
    objective = trainer.objective
    steps = min(objective.rollout_steps, batch.actions.shape[1])
    latents = batch.latents.to(trainer.device).float()
    return objective.error(latents[:, : objective.tokens].repeat(1, steps, 1), latents)
