"""A few steps of training on a toy scene: the losses fall, the export is what was trained, runs are reproducible."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vjepa_mpc.training.config import BatchConfig, LossConfig, StageConfig, TrainConfig, load_config
from vjepa_mpc.training.dataset import EpisodeDataset
from vjepa_mpc.training.train import export, train
from vjepa_mpc.training.trainer import Trainer
from vjepa_mpc.training.validate import validate, validation_clips
from vjepa_mpc.worldmodel import load_world_model

SIZE = 32
ROOT = Path(__file__).resolve().parents[3]
MODEL = {
    "img_size": SIZE,
    "patch_size": 16,
    "tubelet_size": 2,
    "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 1},
    "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 1, "num_heads": 1},
}
STAGE = StageConfig(steps=40, learning_rate=3e-3, warmup_steps=5, read_out_rate=1.0)
BATCH = BatchConfig(clips=8, rollout_clips=2, ema_decay=0.9, bfloat16=False)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """These networks are far too small to share between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data() -> EpisodeDataset:
    """A dot at (y, z) of the gripper on a grey picture."""
    rng = np.random.default_rng(0)
    states = np.zeros((24, 6, 7), np.float32)
    states[..., :3] = 0.5 + np.cumsum(rng.normal(0.0, 0.03, (24, 6, 3)), axis=1)
    states[..., 3], states[..., 6] = np.pi, rng.integers(0, 2, (24, 6))
    images = np.full((24, 6, SIZE, SIZE, 3), 90, np.uint8)
    for episode, frame in np.ndindex(24, 6):
        row, column = (np.clip(states[episode, frame, 1:3], 0.2, 0.8) * (SIZE - 8)).astype(int)
        images[episode, frame, row : row + 8, column : column + 8] = [230, 40, 40 + 200 * states[episode, frame, 6]]
    return EpisodeDataset([images], states, np.tile(states[:1, :1], (24, 6, 1)))


def make_trainer(data: EpisodeDataset, **changes: Any) -> Trainer:
    return Trainer(TrainConfig(**{"model": MODEL, "stages": (STAGE,), "batch": BATCH, **changes}), data)


def test_losses_fall(data: EpisodeDataset) -> None:
    trainer = make_trainer(data)
    terms = [trainer.step() for _ in range(STAGE.steps)]
    constants = {"change_weight", "gripper", "metric_scale", "metric_gripper"}
    assert set(terms[0]) == {"loss", *vars(LossConfig())} - constants
    for name in ("loss", "metric", "appearance"):
        first, last = (np.mean([term[name] for term in part]) for part in (terms[:5], terms[-5:]))
        assert last < 0.9 * first, name


def test_runs_are_reproducible_and_resumable(data: EpisodeDataset, tmp_path: Path) -> None:
    first, second = make_trainer(data), make_trainer(data)
    losses = [(first.step()["loss"], second.step()["loss"]) for _ in range(3)]
    assert all(a == b for a, b in losses)
    first.save(tmp_path / "state.pt")
    resumed = make_trainer(data)
    resumed.restore(tmp_path / "state.pt")
    assert resumed.step_number == 3
    for key, value in resumed.networks.state_dict().items():
        assert torch.equal(value, first.networks.state_dict()[key])


def test_export_predicts_from_metres_what_the_training_predicts(data: EpisodeDataset, tmp_path: Path) -> None:
    trainer = make_trainer(data)
    for _ in range(10):
        trainer.step()
    path = tmp_path / "model.safetensors"
    export(trainer, path)
    world_model = load_world_model(path)
    clips = validation_clips(data, 4)
    batch = trainer.to_batch(clips)
    with torch.no_grad():
        latents = trainer.averaged.encode(batch.images).unflatten(0, (4, 2))[:, 0]
        expected = trainer.averaged.predict(latents, batch.actions, batch.states[:, :1])
        exported = world_model.predictor(
            latents, torch.from_numpy(clips.actions), torch.from_numpy(clips.states[:, :1])
        )
    exported = torch.nn.functional.layer_norm(exported, exported.shape[-1:])
    assert torch.allclose(world_model.encode(clips.images[:, 0]), latents, atol=0.02)
    assert torch.allclose(exported, expected, atol=0.02)


def test_a_run_begins_with_the_weights_of_the_model_that_it_starts_from(data: EpisodeDataset, tmp_path: Path) -> None:
    before = make_trainer(data)
    for _ in range(10):
        before.step()
    path = tmp_path / "model.safetensors"
    export(before, path)
    # Other data: other normalisation, so the same weights only if it is taken out and put in again.
    half = EpisodeDataset([data.clips(np.arange(9), np.zeros(9, int), 6).images], data.states[:9], data.blocks[:9])
    begun = make_trainer(half, start=str(path))
    export(begun, tmp_path / "begun.safetensors")
    first, second = load_world_model(path), load_world_model(tmp_path / "begun.safetensors")
    for part in ("encoder", "predictor"):
        for name, value in getattr(first, part).state_dict().items():
            assert torch.allclose(value, getattr(second, part).state_dict()[name], atol=2e-3), name


def test_a_model_of_another_architecture_is_no_start(data: EpisodeDataset, tmp_path: Path) -> None:
    export(make_trainer(data), tmp_path / "model.safetensors")
    deeper = {**MODEL, "encoder": {"embed_dim": 24, "depth": 2, "num_heads": 1}}
    with pytest.raises(ValueError, match="give one like it"):
        make_trainer(data, model=deeper, start=str(tmp_path / "model.safetensors"))


def test_train_logs_and_leaves_a_usable_model(data: EpisodeDataset, tmp_path: Path) -> None:
    trainer = make_trainer(
        data, stages=(StageConfig(steps=3), StageConfig(steps=1)), validate_every=2, checkpoint_every=2
    )
    log = io.StringIO()
    train(trainer, validation_clips(data, 8), tmp_path, log)
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert "encoder_gripper_r2" in records[1]["validation"]
    assert load_world_model(tmp_path / "franka_tiny.safetensors").embed_dim == 24
    assert all(np.isfinite(value) for value in validate(trainer, validation_clips(data, 8)).values())


def test_image_size_must_fit(data: EpisodeDataset) -> None:
    with pytest.raises(ValueError, match="images are 32 px"):
        Trainer(TrainConfig(model={**MODEL, "img_size": 64}), data)


@pytest.mark.parametrize("name", ["franka_tiny.yaml", "franka_looks.yaml"])
def test_recipes_that_ship_are_valid(name: str) -> None:
    assert load_config(ROOT / "config" / "train" / name).model["img_size"] == 128


def test_mistakes_in_a_recipe_are_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for text, message in (
        ("seed: 0", "section `model` is missing"),
        ("model: {}\nstages: [{stepz: 3}]", r"unknown setting stages\[0\].stepz"),
        ("model: {}\nstages: []", "stages is empty"),
        ("model: {}\nstages: [{steps: 0}]", "steps=0"),
        ("model: {}\nbatch: {clip_frames: 1}", "clip_frames=1"),
        ("model: {}\nstages: [{loss: {metric: -1}}]", "loss.metric=-1"),
        ("model: {}\ndata: {episodes: 0}", "data.episodes=0"),
        ("model: {}\ndata: {look_share: 1.5}", "data.look_share=1.5"),
        ("model: {}\ndata: {look_share: 0.5}", "loss.keypoints=0.1 with data.look_share=0.5"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_config(path)


def test_learning_rate_falls_in_every_stage() -> None:
    stages = (StageConfig(steps=20, warmup_steps=5), StageConfig(steps=30, warmup_steps=5, learning_rate=5e-4))
    config = TrainConfig(model=MODEL, stages=stages)
    rates = [stage.rate(step) for stage, step in map(config.stage_at, range(config.steps))]
    assert len(rates) == 50 and config.stage_starts == [0, 20]
    assert rates[4] == pytest.approx(8e-4) and rates[24] == pytest.approx(5e-4)
    assert rates[19] < 3e-5 and rates[49] < 3e-5
    assert sorted(rates[5:20], reverse=True) == rates[5:20]
