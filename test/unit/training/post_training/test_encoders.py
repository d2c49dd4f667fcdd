"""Post-training a new predictor for encoders that come without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from support.checkpoints import converted, header, hugging_face, pretraining, random_model, tiny_encoder_21
from support.post_train import post_train
from support.recordings import FakeRecordings
from vjepa_mpc.training.post_training import command
from vjepa_mpc.worldmodel import load_world_model

SIZES = ["--set=predictor.predictor_embed_dim=24", "--set=predictor.depth=1", "--set=predictor.num_heads=2"]


@pytest.fixture(autouse=True)
def _recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "open_recordings", lambda args: FakeRecordings())


@pytest.mark.parametrize("options", [[], ["--dense"]])
def test_a_v_jepa_2_1_encoder_gets_a_predictor(tmp_path: Path, options: list[str]) -> None:
    torch.save(pretraining(tiny_encoder_21(), "ema_encoder"), tmp_path / "vjepa2_1.pt")
    told = ["--encoder-heads", "2", "--img-size", "32", "--dtype", "float32", *options]
    encoder = converted(tmp_path / "vjepa2_1.pt", *told, tmp_path / "encoder.safetensors")
    assert post_train(encoder, tmp_path / "out", "--encoder", str(encoder), *SIZES) == 0
    written = tmp_path / "out" / "model.safetensors"
    trained = load_world_model(written)
    assert trained.config.family == "vjepa2.1" and trained.embed_dim == (96 if options else 24)
    told = header(written)
    assert (told["encoder_file"], told["encoder_entry"]) == ("vjepa2_1.pt", "ema_encoder")
    assert (told["predictor_start"], told["predictor_trained_with"]) == ("random weights", "this encoder")
    assert trained.encode(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 4, trained.embed_dim)


def test_the_encoder_of_a_hugging_face_folder_gets_a_predictor(tmp_path: Path) -> None:
    model = random_model()
    folder = hugging_face(tmp_path / "vitl", model)
    assert post_train(folder, tmp_path / "out", "--encoder", str(folder), *SIZES) == 0
    trained = load_world_model(tmp_path / "out" / "model.safetensors")
    exact = model.encoder.state_dict()
    assert all(torch.equal(weight, exact[key]) for key, weight in trained.encoder.state_dict().items())
