"""Settings of a training run: frozen dataclasses read from one YAML file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vjepa_mpc.arguments import SEED
from vjepa_mpc.training.recipe_file import read_settings, read_yaml
from vjepa_mpc.worldmodel import MOST_THREADS, ModelConfig


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What the simulator has to generate.

    Attributes:
        episodes: training episodes.
        validation_episodes: further episodes that are never trained on.
        seed: first word of the entropy that every episode's generator is seeded with.
        shard_episodes: episodes in one file (the unit of generation, progress and resuming).
        processes: simulator processes used for the generation.
        look_share: share of the episodes that are seen in a look of their own: another camera, light, colours,
            textures, block size, other objects (`vjepa_mpc.sim.look.LookRanges`); the others are seen as usual.
    """

    episodes: int = 3200
    validation_episodes: int = 64
    seed: int = 0
    shard_episodes: int = 64
    processes: int = 2
    look_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("episodes", "validation_episodes", "shard_episodes", "processes"):
            value = getattr(self, name)
            _require(value >= 1, f"data.{name}={value}: it must be at least 1")
        _require(0 <= self.seed <= SEED, f"data.seed={self.seed}: it must lie in 0..{SEED}")
        _require(0.0 <= self.look_share <= 1.0, f"data.look_share={self.look_share}: it must lie in 0..1")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the loss terms (0 switches a term off) and the constants of the metric term.

    Attributes:
        prediction: L1 between predicted and encoded latents, tokens weighted by how much they change.
        change_weight: how strongly changing tokens count in it (0: all tokens alike).
        rollout: the same after two predicted steps.
        variance, covariance: against collapse.
        label: regression of pose, gripper and block from all tokens, from latent and from prediction.
        gripper: how much more the gripper's entry counts in the two regressions than each of the other six.
        local: the same regression from each token alone.
        keypoints: place of fingers and block in the picture, from latent and from prediction; it is computed for the
            usual camera, so it has to be 0 for data with looks.
        appearance: low-resolution colours of each patch from its own token.
        metric: latent L1 distance = metric_scale * (position + gripper + block distance), pairs of latents.
        metric_prediction: the same between predictions and latents (what the planner evaluates).
        metric_scale: latent L1 per metre.
        metric_gripper: metres that fully opening counts for.
    """

    prediction: float = 1.0
    change_weight: float = 1.0
    rollout: float = 0.5
    variance: float = 0.05
    covariance: float = 0.02
    label: float = 0.3
    gripper: float = 1.0
    local: float = 0.1
    keypoints: float = 0.1
    appearance: float = 0.5
    metric: float = 2.0
    metric_prediction: float = 2.0
    metric_scale: float = 1.2
    metric_gripper: float = 0.12

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            _require(
                math.isfinite(value) and value >= 0.0, f"loss.{entry.name}={value}: it must be finite and not negative"
            )


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """A part of the run with its own optimiser state, learning rate and loss weights.

    In a stage the rate rises over `warmup_steps` to `learning_rate` and falls as a cosine to `final_rate_ratio` of it:
    the model is good at the end of each stage, and the next stage goes on from there.

    Attributes:
        steps: optimiser steps.
        read_out_rate: the rate of the read-out of labels from all tokens, as a share of the others'. It has thousands
            of inputs, all of which Adam moves at every step.
        loss: weights of the loss terms.
    """

    steps: int = 2000
    learning_rate: float = 8e-4
    final_rate_ratio: float = 0.02
    warmup_steps: int = 100
    weight_decay: float = 0.02
    read_out_rate: float = 0.05
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        _require(self.steps >= 1, f"stage steps={self.steps}: it must be at least 1")
        _require(self.learning_rate > 0.0, f"stage learning_rate={self.learning_rate}: it must be positive")
        for name in ("warmup_steps", "weight_decay", "final_rate_ratio", "read_out_rate"):
            _require(getattr(self, name) >= 0, f"stage {name}={getattr(self, name)}: it must not be negative")

    def rate(self, step: int) -> float:
        """Learning rate of a step of this stage, from 0 on."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
        return self.learning_rate * (self.final_rate_ratio + (1.0 - self.final_rate_ratio) * cosine)


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """Batches and averaging, the same in all stages.

    Attributes:
        clips: clips in a batch; each is a run of `clip_frames` successive frames of one episode.
        clip_frames: frames of a clip; every frame is encoded once and serves as context, target and metric sample.
        rollout_clips: clips of the batch that also get the two-step rollout loss (needs clip_frames >= 3).
        gradient_clip: largest norm of the gradient.
        ema_decay: decay of the running average of the weights that is exported.
        bfloat16: run the transformer blocks in bfloat16 autocast (faster where the CPU has it).
    """

    clips: int = 16
    clip_frames: int = 3
    rollout_clips: int = 4
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    bfloat16: bool = True

    def __post_init__(self) -> None:
        _require(self.clips >= 1, f"batch.clips={self.clips}: it must be at least 1")
        _require(self.clip_frames >= 2, f"batch.clip_frames={self.clip_frames}: a transition needs two frames")
        _require(
            0 <= self.rollout_clips <= self.clips,
            f"batch.rollout_clips={self.rollout_clips}: it must lie in 0..clips={self.clips}",
        )
        _require(
            self.rollout_clips == 0 or self.clip_frames >= 3,
            f"batch.rollout_clips={self.rollout_clips} needs clip_frames >= 3, not {self.clip_frames}",
        )
        _require(0.0 <= self.ema_decay < 1.0, f"batch.ema_decay={self.ema_decay}: it must lie in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run.

    Attributes:
        model: the world model's config dictionary (see `vjepa_mpc.worldmodel.ModelConfig`).
        stages: one after the other.
        seed: of weights and batches.
        threads: CPU threads.
        validate_every, checkpoint_every: periods in steps.
        start: checkpoint of a model of the same architecture that the weights begin with: a file, or "bundled" for
            the one that ships with the package; "" for random weights.
    """

    model: Mapping[str, Any]
    stages: Sequence[StageConfig] = (StageConfig(),)
    seed: int = 0
    threads: int = 1
    validate_every: int = 100
    checkpoint_every: int = 200
    start: str = ""
    data: DataConfig = field(default_factory=DataConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)

    def __post_init__(self) -> None:
        _require(len(self.stages) >= 1, "stages is empty: give at least one")
        for name in ("threads", "validate_every", "checkpoint_every"):
            value = getattr(self, name)
            _require(value >= 1, f"{name}={value}: it must be at least 1")
        _require(0 <= self.seed <= SEED, f"seed={self.seed}: it must lie in 0..{SEED}")
        _require(self.threads <= MOST_THREADS, f"threads={self.threads}: it must be at most {MOST_THREADS}")
        keypoints = max(stage.loss.keypoints for stage in self.stages)
        _require(
            self.data.look_share == 0.0 or keypoints == 0.0,
            f"loss.keypoints={keypoints} with data.look_share={self.data.look_share}: keypoints are where the usual "
            "camera sees them; set it to 0 in all stages",
        )

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return sum(stage.steps for stage in self.stages)

    @property
    def stage_starts(self) -> list[int]:
        """First step of every stage."""
        return [sum(stage.steps for stage in self.stages[:index]) for index in range(len(self.stages))]

    def stage_at(self, step: int) -> tuple[StageConfig, int]:
        """The stage that a step of the run belongs to, and the step's number within it."""
        index = max(index for index, start in enumerate(self.stage_starts) if start <= step)
        return self.stages[index], step - self.stage_starts[index]


def load_config(path: str | Path) -> TrainConfig:
    """Read a run's YAML file.

    Raises:
        ValueError: a setting is unknown, missing, of another type or out of range (the message names file and setting).
        OSError: the file cannot be read.
    """
    path = Path(path)
    values = read_yaml(path)
    if "model" not in values:
        raise ValueError(f"{path}: the section `model` is missing")
    try:
        config = read_settings(TrainConfig, values)
        check_model(config.model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return config


def check_model(model: Any) -> None:
    """Refuse a section ``model`` that no world model can be built from.

    Raises:
        ValueError: the message names the entry.
    """
    _require(isinstance(model, Mapping), f"model={model!r}: expected a section")
    sizes = {name: value for name, value in model.items() if name not in ("encoder", "predictor")}
    for part in ("encoder", "predictor"):
        section = model.get(part, {})
        _require(isinstance(section, Mapping), f"model.{part}={section!r}: expected a section")
        sizes |= {f"{part}.{name}": value for name, value in section.items()}
    for name, value in sizes.items():
        kinds, expected = ((int, float), "number") if name.endswith("mlp_ratio") else ((int,), "whole number")
        number = isinstance(value, kinds) and not isinstance(value, bool)
        _require(number and 0 < value < math.inf, f"model.{name}={value!r}: expected a {expected} above 0")
    ModelConfig.from_dict(model)
