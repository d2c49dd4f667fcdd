"""`vjepa-mpc post-train` from recordings to a model file: interruptions, several ranks, and what may go wrong."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from safetensors import safe_open

from support.post_train import logged, post_train, tiny_model
from support.recordings import FakeRecordings
from vjepa_mpc.training.post_training import PostTrainer, PostTrainingError, checkpoints, command
from vjepa_mpc.training.post_training.latents import cache
from vjepa_mpc.worldmodel import load_world_model

ROOT = Path(__file__).resolve().parents[4]
FIGURES = ("loss", "jloss", "sloss", "lr", "wd", "grad_norm")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def recordings(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRecordings], None]:
    """Sets what ``--data`` holds."""

    def use(found: FakeRecordings) -> None:
        monkeypatch.setattr(command, "open_recordings", lambda args: found)

    use(FakeRecordings())
    return use


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def unbroken(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "open_recordings", lambda args: FakeRecordings())
        assert post_train(model, out) == 0
    return out


def losses(out: Path) -> list[tuple[float, ...]]:
    return [tuple(record[name] for name in FIGURES) for record in logged(out)[1:]]


def test_the_result_is_a_model_with_its_card(model: Path, unbroken: Path) -> None:
    records = logged(unbroken)
    assert [record["step"] for record in records] == list(range(9))
    assert [record["step"] for record in records if "held_out" in record] == [0, 3, 6, 8]
    before, after = load_world_model(model), load_world_model(unbroken / "model.safetensors")
    assert torch.equal(before.encoder.blocks[0].attn.qkv.weight, after.encoder.blocks[0].attn.qkv.weight)
    assert not torch.equal(before.predictor.predictor_proj.weight, after.predictor.predictor_proj.weight)
    with safe_open(str(unbroken / "model.safetensors"), "pt") as opened:
        card = opened.metadata()
    assert card["license"] == "MIT" and card["seconds_a_step"] == "0.2" and card["crop"] == "square"
    best = min((record for record in records if "held_out" in record), key=lambda record: record["held_out"]["rollout"])
    assert card["trained_steps"] == str(best["step"])
    assert f"rollout {best['held_out']['rollout']:.4f}" in card["held_out_errors"]
    assert card["held_out_data"] in (unbroken / "model.md").read_text()
    assert (unbroken / "losses.png").is_file()


def test_training_learns_what_comes_next(model: Path, tmp_path: Path) -> None:
    changes = [f"--set=post_training.{change}" for change in ("epochs=20", "lr=0.01", "warmup=3")]
    post_train(model, tmp_path / "out", *changes, "--set=batch_size=16", "--set=evaluate_every=10")
    looks = [record["held_out"] for record in logged(tmp_path / "out") if "held_out" in record]
    assert looks[-1]["rollout"] < looks[0]["rollout"]
    assert looks[-1]["rollout"] < 0.95 * looks[-1]["copy"]


def test_a_killed_run_resumes_to_the_same_losses(
    model: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = PostTrainer.step

    def killed(self: PostTrainer, *batch: torch.Tensor) -> dict[str, float]:
        if self.step_number == 5:
            raise RuntimeError("killed")
        return taken(self, *batch)

    monkeypatch.setattr(PostTrainer, "step", killed)
    with pytest.raises(RuntimeError, match="killed"):
        post_train(model, tmp_path / "out")
    monkeypatch.setattr(PostTrainer, "step", taken)
    assert [path.name for path in (tmp_path / "out" / "checkpoints").iterdir()] == ["step_00000004"]
    assert post_train(model, tmp_path / "out") == 0
    assert losses(tmp_path / "out") == losses(unbroken)
    assert logged(tmp_path / "out") == logged(unbroken)


def test_sigterm_saves_and_ends_well(
    model: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = PostTrainer.step

    def asked(self: PostTrainer, *batch: torch.Tensor) -> dict[str, float]:
        if self.step_number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return taken(self, *batch)

    monkeypatch.setattr(PostTrainer, "step", asked)
    assert post_train(model, tmp_path / "out") == 0
    assert "interrupted after step 3 of 8" in capsys.readouterr().out
    monkeypatch.setattr(PostTrainer, "step", taken)
    assert post_train(model, tmp_path / "out") == 0
    assert losses(tmp_path / "out") == losses(unbroken)


def run_ranks(count: int, *arguments: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "test" / "support" / "post_train.py"), *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "test")]),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(count),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(count)
    ]
    outputs = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * count, outputs


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="ddp"),
        pytest.param(("--fsdp", "--set=post_training.micro_batch=1"), id="fsdp", marks=pytest.mark.slow),
    ],
)
def test_two_ranks_train_as_one(options: tuple[str, ...], model: Path, unbroken: Path, tmp_path: Path) -> None:
    run_ranks(2, str(model), str(tmp_path / "out"), *options)
    np.testing.assert_allclose(losses(tmp_path / "out"), losses(unbroken), rtol=2e-5)
    alone, together = (
        [record["held_out"] for record in logged(out) if "held_out" in record] for out in (unbroken, tmp_path / "out")
    )
    for one, two in zip(alone, together, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    load_world_model(tmp_path / "out" / "model.safetensors")


def test_frames_are_encoded_once(
    model: Path, recordings: Callable[[FakeRecordings], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings(FakeRecordings(faults={2: OSError("the file is torn"), 3: OSError("this one too")}))
    post_train(model, tmp_path / "out")
    out = capsys.readouterr().out
    assert "4 episodes, 68 frames at 0.2 s a step; 68 frames to encode" in out
    assert "skipped: episode 2: the file is torn" in out
    recordings(FakeRecordings())
    post_train(model, tmp_path / "out", "--fresh", "--set=seed=1")
    assert "33 frames to encode" in capsys.readouterr().out
    with pytest.raises(PostTrainingError, match=r"crop was 'square', now 'droid'"):
        post_train(model, tmp_path / "out", "--crop", "droid", "--fresh")


def test_unusable_recordings_are_named(
    model: Path, recordings: Callable[[FakeRecordings], None], tmp_path: Path
) -> None:
    torn = OSError("torn")
    for found, options, message in (
        (FakeRecordings(()), (), "the dataset has no episodes"),
        (FakeRecordings((1, 1)), (), r"no episode can be used; episode 0 \(1 frames\).*no 4 successive frames"),
        (FakeRecordings((40,)), (), r"1 usable episode\(s\) \(episode 0\): at least two"),
        (FakeRecordings(), ("--seconds-a-step", "0.01"), "no episode can be used"),
        (
            FakeRecordings(faults={0: torn, 1: torn}),
            ("--max-bad", "1"),
            "more than --max-bad 1 .*episode 0: torn",
        ),
    ):
        recordings(found)
        with pytest.raises(PostTrainingError, match=f"(?s){message}"):
            post_train(model, tmp_path / "out", *options, "--cache", str(tmp_path / f"cache{len(options)}"))


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_while_encoding_loses_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = cache.LatentCache._write_latents

    def second_does_not_fit(self: cache.LatentCache, file: BinaryIO, frames: int, latents: Iterable) -> None:
        full_disk() if list(self.folder.glob("*.npy")) else written(self, file, frames, latents)

    with monkeypatch.context() as patch:
        patch.setattr(cache.LatentCache, "_write_latents", second_does_not_fit)
        with pytest.raises(PostTrainingError, match=r"no room for the latents of episode 1.*same command again"):
            post_train(model, tmp_path)
    assert len(list((tmp_path / "latents").glob("*.npy"))) == 1 and not list(tmp_path.rglob("*.partial"))
    with monkeypatch.context() as patch:
        patch.setattr(cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(PostTrainingError, match="GB free, and the latents take"):
            post_train(model, tmp_path)


def test_a_full_disk_while_saving_loses_nothing(
    model: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = checkpoints.dcp.save

    def second_does_not_fit(*args: Any, **kwargs: Any) -> None:
        full_disk() if (tmp_path / "checkpoints" / "step_00000002").is_dir() else written(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.dcp, "save", second_does_not_fit)
        with pytest.raises(PostTrainingError, match=r"step 4 could not be written.*step_00000002 is intact"):
            post_train(model, tmp_path)
    assert post_train(model, tmp_path) == 0
    assert losses(tmp_path) == losses(unbroken)


def test_another_architecture_is_refused_on_resume(model: Path, unbroken: Path, tmp_path: Path) -> None:
    other = tiny_model(tmp_path / "other.safetensors", depth=1)
    with pytest.raises(PostTrainingError, match=r"step_00000008 is of another model \(model was .*'depth': 2.*--fresh"):
        post_train(other, unbroken)


def test_a_new_predictor_for_an_encoder(model: Path, tmp_path: Path) -> None:
    sizes = [f"--set=predictor.{size}" for size in ("predictor_embed_dim=48", "depth=1", "num_heads=4")]
    assert post_train(model, tmp_path / "out", "--encoder", str(model), *sizes) == 0
    found = load_world_model(tmp_path / "out" / "model.safetensors")
    assert found.config.predictor.predictor_embed_dim == 48 and len(found.predictor.blocks) == 1


def test_adapters_are_resumed_and_merged(model: Path, tmp_path: Path) -> None:
    lora = "--set=post_training.lora_rank=2"
    post_train(model, tmp_path / "out", lora, "--set=post_training.epochs=2")
    post_train(model, tmp_path / "out", lora)
    assert len(logged(tmp_path / "out")) == 9
    load_world_model(tmp_path / "out" / "model.safetensors")


def test_the_run_ends_when_nothing_more_is_learned(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_rate = [f"--set=post_training.{name}=0.0" for name in ("start_lr", "lr")]
    post_train(model, tmp_path / "out", *no_rate, "--set=patience=2", "--set=evaluate_every=1")
    out = capsys.readouterr().out
    assert "stopped early after step 2 of 8" in out and "training has not improved it" in out


def test_measuring_needs_no_recordings(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    assert post_train(model, Path("unused"), "--measure") == 0
    assert "clip(s) of 4 frames of 4 tokens, on cpu: one step takes" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[1, 2]"])
def test_a_cache_whose_settings_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    cache.LatentCache(tmp_path, {"crop": "droid"}, (4, 8), "float16")
    (tmp_path / "cache.json").write_text(content)
    with pytest.raises(PostTrainingError, match=r"cache\.json is damaged .*give another --cache"):
        cache.LatentCache(tmp_path, {"crop": "droid"}, (4, 8), "float16")
