"""`vjepa-mpc train-decoder`: it learns, goes on as if it had not been interrupted, and says how far it is off."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from vjepa_mpc.imagination.pixels.network import PixelConfig
from vjepa_mpc.training.decoder.frames import Frames
from vjepa_mpc.training.decoder.trainer import DecoderRecipe, DecoderTrainer, psnr

CONFIG = PixelConfig(grid=2, latent_dim=6, width=20)


def frames(count: int = 40) -> Frames:
    """Pictures of four patches in one colour each, which the tokens tell."""
    rng = np.random.default_rng(0)
    colours = rng.random((count, 4, 3), dtype=np.float32)
    pictures = colours.reshape(count, 2, 2, 3).repeat(16, axis=1).repeat(16, axis=2)
    latents = np.concatenate([colours, 1.0 - colours], axis=-1)
    return Frames(latents=torch.from_numpy(latents).half(), pictures=np.rint(255 * pictures).astype(np.uint8))


def trainer(steps: int = 60) -> DecoderTrainer:
    recipe = DecoderRecipe(steps=steps, batch=8, rate=5e-3)
    return DecoderTrainer(recipe, CONFIG, frames(), torch.device("cpu"))


def test_it_learns_what_the_tokens_tell() -> None:
    learning = trainer()
    errors = [learning.step() for _ in range(60)]
    assert np.mean(errors[-5:]) < 0.5 * np.mean(errors[:5])


def test_a_run_that_goes_on_is_the_run_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, first = trainer(6), trainer(6)
    for _ in range(6):
        whole.step()
    for _ in range(3):
        first.step()
    first.save(tmp_path / "state.pt", {"model": "m"})
    second = trainer(6)
    second.restore(tmp_path / "state.pt", {"model": "m"})
    for _ in range(3):
        second.step()
    for one, other in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match=r"another run \(model was m, now n\)"):
        trainer(6).restore(tmp_path / "state.pt", {"model": "n"})
    (tmp_path / "state.pt").write_text("no state")
    with pytest.raises(ValueError, match=r"damaged or no state.*--fresh"):
        trainer(6).restore(tmp_path / "state.pt", {"model": "m"})


def test_psnr_is_of_all_pixels_together() -> None:
    truth = np.zeros((2, 4, 4, 3), np.uint8)
    off = truth.copy()
    off[0] = 51  # a fifth of the range in one of two pictures
    assert psnr(off, truth) == pytest.approx(10 * np.log10(2 * 25), abs=1e-6)


def test_the_command_trains_on_recordings_measures_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("h5py", reason="recordings need the extra 'data'")
    pytest.importorskip("av", reason="recordings need the extra 'data'")
    from support.post_train import tiny_model
    from support.robot_recordings import make_truth, write_robomimic
    from vjepa_mpc.imagination.pixels.decoder import MEASURED, open_decoder
    from vjepa_mpc.tools.cli import main

    model = tiny_model(tmp_path / "tiny.safetensors")
    data = write_robomimic(tmp_path / "demo.hdf5", [make_truth(0, length=30), make_truth(1, length=30)])
    base = ["train-decoder", "--model", str(model), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*base, "--steps", "4", "--frames", "20"]) == 0
    said = capsys.readouterr().out
    told = re.search(r"(\d+ held-out pictures: PSNR [\d.]+ dB); the mean picture instead: [\d.]+ dB", said)
    assert told, said
    file = tmp_path / "out" / "tiny.decoder.safetensors"
    assert open_decoder(file).card[MEASURED] == told[1]
    assert main([*base, "--steps", "4", "--frames", "20"]) == 0, "a finished run is written again"
    assert "going on after step 4 of 4" in capsys.readouterr().out
    assert main([*base, "--steps", "4", "--frames", "20", "--measure", str(file)]) == 0
    assert capsys.readouterr().out.strip() == told[1]
    tiny_model(model, seed=1)
    assert main([*base, "--steps", "4", "--frames", "20"]) == 2, "the same name, and another encoder"
    assert "of another run (encoder was" in capsys.readouterr().err
    tiny_model(model)
    assert main([*base, "--steps", "4", "--frames", "10"]) == 2
    assert "of another run (pictures was" in capsys.readouterr().err
