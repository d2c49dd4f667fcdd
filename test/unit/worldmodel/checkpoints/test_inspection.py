"""`vjepa-mpc inspect`: what a checkpoint holds and can be used for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from support.checkpoints import HEADS, converted, hugging_face, jepa_wms, official, pretraining, random_model, run
from vjepa_mpc.worldmodel import CheckpointError, bundled_model_path, inspection
from vjepa_mpc.worldmodel.checkpoints.provenance import fingerprint


def said(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(inspection, path) == 0
    return capsys.readouterr().out


def test_header_and_parts_of_a_world_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = random_model()
    torch.save(official(model), tmp_path / "official.pt")
    text = said(converted(tmp_path / "official.pt", *HEADS, tmp_path / "out.safetensors"), capsys)
    for part in (
        "a model file of vjepa_mpc",
        "width 24 x 2 layers x 2 heads, pictures of 64 px as a clip of 2 equal frames",
        "latents of 16 tokens with 24 features",
        "width 36 x 1 layers x 3 heads",
        "weights in bfloat16 and float32",
        fingerprint(model.encoder.state_dict()),
        "official.pt",
        "=> a world model: the node, evaluate and post-train take it",
    ):
        assert part in text
    assert "supervision" in said(bundled_model_path(), capsys)


def test_what_each_form_can_be_used_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = random_model()
    assert "=> an encoder alone: train a predictor" in said(hugging_face(tmp_path / "hf", model), capsys)
    torch.save(jepa_wms(model), tmp_path / "ac.pt")
    text = said(tmp_path / "ac.pt", capsys)
    assert "0.0 M weights in float32" in text and "show attention heads" in text and "=> cannot be used" in text
    torch.save(pretraining(model.encoder.state_dict()), tmp_path / "vit.pt")
    assert "encoder width 24 x 2 layers" in said(tmp_path / "vit.pt", capsys)


def test_weights_that_are_no_numbers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = random_model()
    model.encoder.norm.weight.data[0] = float("nan")
    folder = hugging_face(tmp_path / "hf", model)
    assert "=> cannot be used: the encoder has weights that are NaN" in said(folder, capsys)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a file"):
        run(inspection, tmp_path / "none.pt")
