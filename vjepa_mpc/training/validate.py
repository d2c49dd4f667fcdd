"""What a model in training knows about episodes that it is not trained on."""

from __future__ import annotations

import numpy as np
import torch

from vjepa_mpc.training import losses
from vjepa_mpc.training.dataset import Clips, EpisodeDataset
from vjepa_mpc.training.labels import r_squared
from vjepa_mpc.training.trainer import Trainer

BATCH = 64


def validation_clips(data: EpisodeDataset, count: int = 256) -> Clips:
    """Always the same `count` transitions (clips of two frames)."""
    rng = np.random.default_rng(0)
    episodes = np.arange(count) % data.episodes
    return data.clips(episodes, rng.integers(0, data.frames - 1, size=count), 2)


@torch.no_grad()
def validate(trainer: Trainer, clips: Clips) -> dict[str, float]:
    """Measures of the averaged weights on `clips` of two frames.

    Returns:
        `prediction`, `copy`, `shuffled`: mean L1 of the prediction, of the unchanged frame, and of the prediction
        from another clip's action; `encoder_*` and `predictor_*`: R² of pose, gripper and block read from latent and
        prediction; `position_error_cm`: mean error of the position read from the latent; `metric_correlation`: of
        latent and label distance between random frames.
    """
    networks = trainer.averaged
    batch = trainer.to_batch(clips)
    latents = torch.cat([networks.encode(part) for part in batch.images.split(BATCH)]).unflatten(0, (-1, 2))
    before, after = latents[:, 0], latents[:, 1]

    def predict(actions: torch.Tensor) -> torch.Tensor:
        parts = zip(before.split(BATCH), actions.split(BATCH), batch.states[:, :1].split(BATCH), strict=True)
        return torch.cat([networks.predict(*part) for part in parts])

    predicted = predict(batch.actions)
    read = networks.heads.predict(after)
    labels = batch.labels[:, 1]
    weights = trainer.config.stages[-1].loss
    constants = {"scale": weights.metric_scale, "gripper": weights.metric_gripper}
    pairs = torch.stack(
        [
            losses.latent_distance(after, after.roll(7, 0)),
            losses.label_distance(labels, labels.roll(7, 0), **constants),
        ]
    )
    result = {
        "prediction": float(losses.latent_distance(predicted, after).mean()),
        "copy": float(losses.latent_distance(before, after).mean()),
        "shuffled": float(losses.latent_distance(predict(batch.actions.roll(1, 0)), after).mean()),
        "position_error_cm": float((read - labels)[:, :3].norm(dim=-1).mean()) * 100.0,
        "block_error_cm": float((read - labels)[:, 4:].norm(dim=-1).mean()) * 100.0,
        "metric_correlation": float(torch.corrcoef(pairs)[0, 1]),
    }
    for name, source in (("encoder", read), ("predictor", networks.heads.predict(predicted))):
        result.update({f"{name}_{group}_r2": value for group, value in r_squared(source, labels).items()})
    return result
