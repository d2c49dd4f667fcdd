"""Recipes: the bundled ones, changes on the command line, and mistakes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from vjepa_mpc.training.post_training import PostTrainingConfig, PostTrainingError
from vjepa_mpc.training.post_training.recipe import Recipe, load_recipe


def test_the_published_recipe_is_the_default_one() -> None:
    found = load_recipe("vjepa2_ac")
    how = {"precision": "bf16", "activation_checkpointing": True}
    assert found.post_training == dataclasses.replace(PostTrainingConfig(), **how)
    assert dataclasses.replace(found, post_training=PostTrainingConfig()) == Recipe(
        held_out=0.02, save_every=300, post_training=PostTrainingConfig()
    )
    rates = [found.post_training.learning_rate(step) for step in (1, 4500, 90000, 94500)]
    assert rates == pytest.approx([7.5e-5 + 3.5e-4 / 4500, 4.25e-4, 4.25e-4, 0.0])


def test_few_recordings_take_a_low_rate() -> None:
    found = load_recipe("few_recordings")
    assert found.post_training.lr <= 1e-4 and found.patience and found.post_training.action_dropout


def test_settings_change_on_the_command_line() -> None:
    found = load_recipe("few_recordings", ["post_training.lr=1e-3", "batch_size=8", "post_training.micro_batch=0"])
    assert (found.post_training.lr, found.batch_size, found.post_training.micro_batch) == (1e-3, 8, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batchsize: 3", "unknown setting batchsize: known are seconds_a_step"),
        ("post_training: {rate: 1}", "unknown setting post_training.rate"),
        ("post_training: 3", "post_training: expected a section"),
        ("batch_size: many", "batch_size='many': expected a value like 256"),
        ("batch_size: 0", "batch_size=0: use a .*number from 1 to"),
        ("crop: round", "crop='round'"),
        ("[1, 2]", "expected settings"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_recipe(str(path))


def test_an_unknown_recipe_lists_the_bundled_ones() -> None:
    with pytest.raises(PostTrainingError, match="neither a file nor one of few_recordings, minutes, vjepa2_ac"):
        load_recipe("mine")
    with pytest.raises(PostTrainingError, match="write name=value"):
        load_recipe("few_recordings", ["lr"])
