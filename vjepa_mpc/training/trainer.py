"""One joint training stage of encoder and predictor: batch -> losses -> step, with averaged weights for export."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from vjepa_mpc.files import replacing
from vjepa_mpc.sim.config import Camera
from vjepa_mpc.training import losses
from vjepa_mpc.training.config import LossConfig, TrainConfig
from vjepa_mpc.training.dataset import Clips, EpisodeDataset
from vjepa_mpc.training.keypoints import KeypointHead
from vjepa_mpc.training.labels import LabelHeads, foreground_weights, frame_labels, patch_colours
from vjepa_mpc.training.normalisation import ACTION_STD_FLOOR, STATE_STD_FLOOR, Normaliser, fit_normaliser
from vjepa_mpc.worldmodel.checkpoint import bundled_model_path, read_checkpoint
from vjepa_mpc.worldmodel.preprocess import preprocess_batch
from vjepa_mpc.worldmodel.vjepa.config import ModelConfig
from vjepa_mpc.worldmodel.vjepa.encoder import Encoder
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features
from vjepa_mpc.worldmodel.vjepa.predictor import Predictor

BUNDLED = "bundled"  # the model to start from that ships with the package
_BEGIN_AGAIN = "give the recipe and the data that the run began with, another --out, or --fresh to begin again"


class Networks(nn.Module):
    """What is trained: encoder, predictor and the heads that are dropped at export."""

    def __init__(self, model: ModelConfig, heads: LabelHeads) -> None:
        super().__init__()
        self.keypoints = KeypointHead(model.grid_size, model.encoder.embed_dim, Camera())
        self.encoder = Encoder(model)
        self.predictor = Predictor(model)
        self.heads = heads
        # Autocast would carry the residual stream in bfloat16 from here on; its rounding is as large as the latent
        # distance of two poses half a centimetre apart.
        for stem in (self.encoder.patch_embed, self.predictor.predictor_embed):
            stem.register_forward_hook(lambda module, inputs, output: output.float())

    def encode(self, images: Tensor) -> Tensor:
        """Latents `[B, N, D]` of single preprocessed frames `[B, 3, S, S]`."""
        clip = images.unsqueeze(2).expand(-1, -1, self.encoder.tubelet_size, -1, -1)
        return layer_norm_features(self.encoder(clip).float())

    def predict(self, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Layer-normed predictions `[B, T * N, D]` from latents, *normalised* actions and states `[B, T, 7]`."""
        return layer_norm_features(self.predictor(latents, actions, states).float())


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors of `B` clips of `F` frames: images `[B*F, 3, S, S]`, actions and states normalised, labels raw."""

    images: Tensor
    states: Tensor
    actions: Tensor
    labels: Tensor


class Trainer:
    """State of a run; everything random comes from generators seeded by the configuration."""

    def __init__(self, config: TrainConfig, data: EpisodeDataset) -> None:
        self.config = config
        self.model = ModelConfig.from_dict(config.model)
        if data.image_size != self.model.img_size:
            raise ValueError(
                f"data images are {data.image_size} px and model.img_size is {self.model.img_size}: make them equal"
            )
        self.data = data
        self.rng = np.random.default_rng([config.seed, 1])
        self.generator = torch.Generator().manual_seed(config.seed)
        self.normalise_actions = fit_normaliser(data.actions.reshape(-1, 7), ACTION_STD_FLOOR, centre=False)
        self.normalise_states = fit_normaliser(data.states.reshape(-1, 7), STATE_STD_FLOOR, centre=True)
        labels = frame_labels(data.states, data.blocks).reshape(-1, 7)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            heads = LabelHeads(
                self.model.tokens_per_frame,
                self.model.encoder.embed_dim,
                torch.from_numpy(labels.mean(axis=0)),
                torch.from_numpy(np.maximum(labels.std(axis=0), 0.01)),
            )
            self.networks = Networks(self.model, heads)
        if config.start:
            self._begin_with(bundled_model_path() if config.start == BUNDLED else Path(config.start).expanduser())
        self.averaged = copy.deepcopy(self.networks).requires_grad_(False)
        self.background = self._background()
        self.step_number = 0
        self.optimiser = self._make_optimiser()

    def _begin_with(self, path: Path) -> None:
        """Take encoder and predictor from a checkpoint, which takes raw actions and states.

        Raises:
            CheckpointError: the file cannot be used.
            ValueError: it is of another architecture.
        """
        config, encoder, predictor = read_checkpoint(path)
        if config != self.model:
            raise ValueError(f"start={path} is a model of {config}, and the recipe's is {self.model}: give one like it")
        raw = {key: value.float() for key, value in predictor.items()}
        for name, normaliser in self._normalisers().items():
            weight, bias = normaliser.unfold(raw[f"{name}.weight"], raw[f"{name}.bias"])
            raw |= {f"{name}.weight": weight, f"{name}.bias": bias}
        self.networks.encoder.load_state_dict({key: value.float() for key, value in encoder.items()})
        self.networks.predictor.load_state_dict(raw)

    def _normalisers(self) -> dict[str, Normaliser]:
        """By the predictor's layer that reads the values."""
        return {"action_encoder": self.normalise_actions, "state_encoder": self.normalise_states}

    def _make_optimiser(self) -> torch.optim.Optimizer:
        stage, _ = self.config.stage_at(self.step_number)
        read_out = list(self.networks.heads.all_tokens.parameters())
        others = [p for p in self.networks.parameters() if all(p is not own for own in read_out)]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in others if p.ndim >= 2], "weight_decay": stage.weight_decay, "share": 1.0},
            {"params": [p for p in others if p.ndim < 2], "share": 1.0},
            {"params": read_out, "share": stage.read_out_rate},
        ]
        return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0)

    def _background(self) -> Tensor:
        """Mean patch colours `[1, N, C]` over a sample of the data: the empty scene."""
        clips = self.data.sample(np.random.default_rng([self.config.seed, 2]), min(256, self.data.episodes), 1)
        images = preprocess_batch(clips.images[:, 0], self.model.img_size)
        return patch_colours(images, self.model.patch_size).mean(dim=0, keepdim=True)

    def to_batch(self, clips: Clips) -> Batch:
        """Preprocess as for inference; normalise what the predictor is conditioned on."""
        images = clips.images.reshape(-1, *clips.images.shape[2:])
        return Batch(
            images=preprocess_batch(images, self.model.img_size),
            states=self.normalise_states(torch.from_numpy(clips.states)),
            actions=self.normalise_actions(torch.from_numpy(clips.actions)),
            labels=torch.from_numpy(frame_labels(clips.states, clips.blocks)),
        )

    def step(self) -> dict[str, float]:
        """One optimiser step on a random batch; returns the loss terms."""
        stage, stage_step = self.config.stage_at(self.step_number)
        if stage_step == 0:
            self.optimiser = self._make_optimiser()
        settings = self.config.batch
        batch = self.to_batch(self.data.sample(self.rng, settings.clips, settings.clip_frames))
        # At 64 tokens the plain attention is faster than the fused one, whose backward pass does not vectorise.
        with sdpa_kernel(SDPBackend.MATH):
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
                terms = self.losses(batch, stage.loss)
            total = sum((getattr(stage.loss, name) * value for name, value in terms.items()), torch.zeros(()))
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), settings.gradient_clip)
        for group in self.optimiser.param_groups:
            group["lr"] = stage.rate(stage_step) * group["share"]
        self.optimiser.step()
        self._average()
        self.step_number += 1
        return {"loss": float(total.detach()), **{name: float(value.detach()) for name, value in terms.items()}}

    def losses(self, batch: Batch, settings: LossConfig) -> dict[str, Tensor]:
        """All loss terms, named as their weights in `LossConfig`."""
        clips, frames = batch.states.shape[:2]
        networks, heads = self.networks, self.networks.heads
        flat = networks.encode(batch.images)
        latents = flat.unflatten(0, (clips, frames))
        before, after = latents[:, :-1].flatten(0, 1), latents[:, 1:].flatten(0, 1)
        predicted = networks.predict(
            before, batch.actions.flatten(0, 1).unsqueeze(1), batch.states[:, :-1].flatten(0, 1).unsqueeze(1)
        )
        with torch.autocast("cpu", enabled=False):
            weights = losses.token_weights(before, after, settings.change_weight)
            labels, labels_after = batch.labels.flatten(0, 1), batch.labels[:, 1:].flatten(0, 1)
            colours = patch_colours(batch.images, self.model.patch_size, heads.cells)
            emphasis = foreground_weights(colours, self.background)
            colours_after, emphasis_after = (
                value.unflatten(0, (clips, frames))[:, 1:].flatten(0, 1) for value in (colours, emphasis)
            )
            terms = {
                "prediction": losses.prediction_loss(predicted, after, weights),
                "variance": losses.variance_loss(flat),
                "covariance": losses.covariance_loss(flat),
                "label": heads.label_loss(flat, labels, settings.gripper)
                + heads.label_loss(predicted, labels_after, settings.gripper),
                "local": heads.local_loss(flat, labels, settings.gripper)
                + heads.local_loss(predicted, labels_after, settings.gripper),
                "keypoints": networks.keypoints.loss(flat, labels) + networks.keypoints.loss(predicted, labels_after),
                "appearance": heads.appearance_loss(flat, colours, emphasis)
                + heads.appearance_loss(predicted, colours_after, emphasis_after),
                **self._metric_terms(latents, predicted, batch.labels, settings),
            }
        if self.config.batch.rollout_clips:
            terms["rollout"] = self._rollout_loss(latents, predicted, batch, settings)
        return terms

    def _metric_terms(
        self, latents: Tensor, predicted: Tensor, labels: Tensor, settings: LossConfig
    ) -> dict[str, Tensor]:
        """Latent distances against label distances, for pairs of latents and for predictions with latents."""
        constants = {"scale": settings.metric_scale, "gripper": settings.metric_gripper}
        flat, flat_labels = latents.flatten(0, 1), labels.flatten(0, 1)
        # The first shifts pair neighbours of a clip: the short distances that decide the final error.
        shifts = [1, 2, *losses.pair_shifts(len(flat), 4, self.generator)]
        between = torch.cat([losses.latent_distance(flat, flat.roll(shift, 0)) for shift in shifts])
        target = torch.cat(
            [losses.label_distance(flat_labels, flat_labels.roll(shift, 0), **constants) for shift in shifts]
        )
        index = torch.arange(len(flat)).unflatten(0, latents.shape[:2])[:, 1:].flatten()
        reached = flat_labels[index]
        others = [(index + shift) % len(flat) for shift in (-1, 1, *shifts[2:])]
        ahead = torch.cat([losses.latent_distance(predicted, flat[other]) for other in others])
        ahead_target = torch.cat([losses.label_distance(reached, flat_labels[other], **constants) for other in others])
        return {
            "metric": losses.metric_loss(between, target),
            "metric_prediction": losses.metric_loss(ahead, ahead_target),
        }

    def _rollout_loss(self, latents: Tensor, predicted: Tensor, batch: Batch, settings: LossConfig) -> Tensor:
        """Error after two steps, the second one from the first one's prediction."""
        count, frames = self.config.batch.rollout_clips, latents.shape[1]
        first = predicted.unflatten(0, (latents.shape[0], frames - 1))[:count, 0]
        history = torch.cat([latents[:count, 0], first], dim=1)
        second = self.networks.predict(history, batch.actions[:count, :2], batch.states[:count, :2])
        weights = losses.token_weights(latents[:count, 0], latents[:count, 2], settings.change_weight)
        return losses.prediction_loss(second[:, latents.shape[2] :], latents[:count, 2], weights)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.batch.ema_decay, (1.0 + self.step_number) / (10.0 + self.step_number))
        averages: list[Tensor] = list(self.averaged.parameters())
        values: list[Tensor] = list(self.networks.parameters())
        torch._foreach_lerp_(averages, values, 1.0 - decay)

    def export_states(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """State dicts of the averaged encoder and predictor, normalisation folded in (metres, radians, 0..1)."""
        encoder = {key: value.clone() for key, value in self.averaged.encoder.state_dict().items()}
        predictor = {key: value.clone() for key, value in self.averaged.predictor.state_dict().items()}
        for name, normaliser in self._normalisers().items():
            weight, bias = normaliser.fold(predictor[f"{name}.weight"], predictor[f"{name}.bias"])
            predictor[f"{name}.weight"], predictor[f"{name}.bias"] = weight, bias
        return encoder, predictor

    def save(self, path: Path, made_with: Mapping[str, Any] | None = None) -> None:
        """Everything needed to go on later, written so that an interruption leaves the old file intact.

        Args:
            path: of the file.
            made_with: plain values that :meth:`restore` is to find again.

        Raises:
            WriteError: it could not be written.
        """
        state: dict[str, Any] = {
            "made_with": dict(made_with or {}),
            "step": self.step_number,
            "networks": self.networks.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }
        content = io.BytesIO()  # written by torch itself, a full disk is an error that does not say so
        torch.save(state, content)
        with replacing(path) as partial:
            partial.write_bytes(content.getbuffer())

    def restore(self, path: Path, made_with: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on from a file of `save`. The batches drawn from here on are seeded by the step, so runs stay seeded.

        Args:
            path: of the file.
            made_with: values that must be as when the file was saved.

        Returns:
            All values that were saved with it.

        Raises:
            ValueError: the file is damaged, or of another model or other data; the trainer is not to be used then.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            before = dict(state["made_with"])
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
            reason = "it is empty" if isinstance(error, EOFError) else str(error).splitlines()[0].split(". ")[0]
            raise ValueError(f"{path} is damaged or no state of a training ({reason}): {_BEGIN_AGAIN}") from error
        differing = [
            f"{name} was {before.get(name)}, now {value}"
            for name, value in (made_with or {}).items()
            if before.get(name) != value
        ]
        if differing:
            raise ValueError(f"{path} is of another run ({'; '.join(differing)}): {_BEGIN_AGAIN}")
        try:
            self.networks.load_state_dict(state["networks"])
            self.averaged.load_state_dict(state["averaged"])
            self.generator.set_state(state["generator"])
            self.step_number = int(state["step"])
            self.optimiser = self._make_optimiser()
            if self.step_number not in self.config.stage_starts:
                self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise ValueError(
                f"{path} does not fit the recipe's model ({str(error).splitlines()[0]}): {_BEGIN_AGAIN}"
            ) from error
        self.rng = np.random.default_rng([self.config.seed, 1, self.step_number])
        return before
