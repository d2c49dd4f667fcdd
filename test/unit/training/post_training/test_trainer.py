"""A step of post-training: the published recipe to the last digit, and what this package adds to it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch

from support.golden import reference
from vjepa_mpc.training.post_training import PostTrainer, PostTrainingConfig, PostTrainingError
from vjepa_mpc.worldmodel import ModelConfig, Predictor

SIZES = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 1},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
    }
)
SHORT = PostTrainingConfig(ipe=5, epochs=4, warmup=1, anneal=1)


def make_trainer(**changes: Any) -> PostTrainer:
    torch.manual_seed(0)
    return PostTrainer(Predictor(SIZES), dataclasses.replace(SHORT, **changes))


def batch(clips: int = 4, frames: int = 4) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(clips, frames * 4, 24, generator=generator)
    actions = 0.1 * torch.randn(clips, frames - 1, 7, generator=generator)
    return torch.nn.functional.layer_norm(latents, (24,)), actions, torch.randn(clips, frames, 7, generator=generator)


def test_steps_are_those_of_the_published_code() -> None:
    golden = np.load(reference("golden/post_training.npz"))
    config = json.loads(str(golden["config"]))
    predictor = Predictor(ModelConfig.from_dict(config))
    predictor.load_state_dict(
        {
            key.removeprefix("predictor/"): torch.from_numpy(golden[key])
            for key in golden
            if key.startswith("predictor/")
        }
    )
    trainer = PostTrainer(predictor, PostTrainingConfig(**config["post_training"]))
    for number in range(len(golden["loss"])):
        report = trainer.step(*(torch.from_numpy(golden[name][number]) for name in ("latents", "actions", "states")))
        for name, value in report.items():
            assert value == pytest.approx(golden[name][number], rel=1e-5, abs=1e-12), (number, name)
    for name, weight in predictor.state_dict().items():
        torch.testing.assert_close(weight, torch.from_numpy(golden[f"trained/{name}"]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [{"micro_batch": 1}, {"micro_batch": 3}, {"activation_checkpointing": True}],
)
def test_saving_memory_changes_no_step(changes: dict[str, Any]) -> None:
    plain, thrifty = make_trainer(), make_trainer(**changes)
    for _ in range(3):
        assert thrifty.step(*batch()) == pytest.approx(plain.step(*batch()), rel=1e-5)


def test_bfloat16_stays_near_float32() -> None:
    exact, fast = make_trainer().step(*batch()), make_trainer(precision="bf16").step(*batch())
    assert fast["loss"] == pytest.approx(exact["loss"], rel=0.02)
    looked_at = make_trainer(precision="bf16").losses(*batch())
    assert float(sum(looked_at)) == pytest.approx(fast["loss"], rel=0.02)


def test_rollout_is_as_long_as_the_clip_at_most() -> None:
    report = make_trainer(auto_steps=50).step(*batch(frames=3))
    assert report["sloss"] == make_trainer(auto_steps=2).step(*batch(frames=3))["sloss"]


def test_dropped_actions_are_the_same_in_every_run() -> None:
    first, second, full = make_trainer(action_dropout=0.5), make_trainer(action_dropout=0.5), make_trainer()
    losses = [[trainer.step(*batch())["loss"] for _ in range(2)] for trainer in (first, second, full)]
    assert losses[0] == losses[1] and losses[0] != losses[2]


def test_adapters_start_as_the_model_and_merge_into_it() -> None:
    trainer, whole = make_trainer(lora_rank=2, start_lr=0.05, lr=0.05), make_trainer()
    frozen = trainer.predictor.blocks[0].attn.qkv.parametrizations.weight.original.clone()  # type: ignore[union-attr]
    assert trainer.losses(*batch()) == whole.losses(*batch())
    for _ in range(3):
        trainer.step(*batch())
    merged = Predictor(SIZES)
    merged.load_state_dict(trainer.predictor_state())
    assert not torch.equal(merged.blocks[0].attn.qkv.weight, frozen)
    latents, actions, states = batch()
    args = latents[:, :-4], actions, states[:, :-1]
    with torch.no_grad():
        torch.testing.assert_close(merged(*args), trainer.predictor(*args), atol=1e-5, rtol=1e-5)
    trained = sum(weight.numel() for weight in trainer.predictor.parameters() if weight.requires_grad)
    assert trained < 0.4 * sum(weight.numel() for weight in merged.parameters())


def test_bad_batches_and_settings_are_named() -> None:
    trainer = make_trainer()
    latents, actions, states = batch()
    before = {key: value.clone() for key, value in trainer.predictor.state_dict().items()}
    with pytest.raises(PostTrainingError, match=r"actions are \[4, 2, 7\]"):
        trainer.step(latents, actions[:, 1:], states)
    with pytest.raises(PostTrainingError, match=r"latents are \[4, 12, 24\]"):
        trainer.step(latents[:, 4:], actions, states)
    with pytest.raises(PostTrainingError, match="the loss of step 1 is nan"):
        trainer.step(latents * float("nan"), actions, states)
    assert all(torch.equal(value, before[key]) for key, value in trainer.predictor.state_dict().items())
    assert trainer.step_number == 0
    for settings, message in (
        ({"ipe": 0}, "ipe=0"),
        ({"precision": "fp8"}, "precision='fp8'"),
        ({"betas": [0.9]}, "betas"),
        ({"lr": -1.0}, "lr=-1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            PostTrainingConfig(**settings)  # type: ignore[arg-type]
