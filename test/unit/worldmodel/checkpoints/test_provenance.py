"""Where weights come from, in the header of what is converted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from support.checkpoints import HEADS, converted, header, pretraining, random_model
from vjepa_mpc.worldmodel import VJEPAWorldModel
from vjepa_mpc.worldmodel.checkpoints.provenance import fingerprint


def test_the_header_says_where_each_part_comes_from(model: VJEPAWorldModel, checkpoint: Path, out: Path) -> None:
    converted(checkpoint, *HEADS, "--seconds-a-step", "0.5", "--crop", "square", out)
    told = header(out)
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert told["encoder_file"] == told["predictor_file"] == "official.pt"
    assert told["encoder_sha256"] == told["predictor_sha256"] == digest
    assert told["encoder_fingerprint"] == fingerprint(model.encoder.state_dict())
    assert told["predictor_trained_with"] == "this encoder"
    assert (told["seconds_a_step"], told["crop"], len(told["date"])) == ("0.5", "square", 10)


def test_converting_again_keeps_where_the_parts_first_came_from(checkpoint: Path, tmp_path: Path, out: Path) -> None:
    first = converted(checkpoint, *HEADS, "--seconds-a-step", "0.5", tmp_path / "first.safetensors")
    converted(first, "--dtype", "float16", out)
    told, before = header(out), header(first)
    for name in ("encoder_file", "encoder_sha256", "encoder_fingerprint", "predictor_file", "seconds_a_step"):
        assert told[name] == before[name]


def test_a_predictor_of_another_encoder_is_named(
    model: VJEPAWorldModel, checkpoint: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(pretraining(random_model(seed=1).encoder.state_dict()), tmp_path / "vit.pt")
    converted("--encoder", tmp_path / "vit.pt", "--predictor", checkpoint, *HEADS, out)
    said = capsys.readouterr().err
    assert "trained with another encoder: the one beside it in official.pt" in said
    assert fingerprint(model.encoder.state_dict()) in said
    assert header(out)["predictor_trained_with"].startswith("another encoder")
    # It stays known when the file is converted again, and a copy in another precision is no other encoder.
    converted(out, "--dtype", "float16", tmp_path / "again.safetensors")
    assert header(tmp_path / "again.safetensors")["predictor_trained_with"].startswith("another encoder")
    capsys.readouterr()
    half = converted(checkpoint, *HEADS, "--dtype", "bfloat16", tmp_path / "half.safetensors")
    converted("--encoder", half, "--predictor", checkpoint, *HEADS, out)
    assert capsys.readouterr().err == "" and header(out)["predictor_trained_with"] == "this encoder"
