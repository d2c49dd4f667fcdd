"""`vjepa-mpc convert`: from the forms that people have, with the checks of loading and the provenance."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from support.checkpoints import (
    HEADS,
    TINY,
    TINY_21,
    assert_same,
    converted,
    header,
    hugging_face,
    jepa_wms,
    official,
    pretraining,
    refused,
    run,
    tiny_encoder_21,
)
from support.golden import reference, relative_error
from vjepa_mpc.files import WriteError
from vjepa_mpc.worldmodel import (
    CheckpointError,
    VJEPAWorldModel,
    build_encoder,
    bundled_model_path,
    convert,
    load_encoder,
    load_world_model,
    save_world_model,
)


def test_a_training_checkpoint_is_stripped(
    model: VJEPAWorldModel, checkpoint: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_world_model(converted(checkpoint, *HEADS, "--dtype", "float32", out))
    assert_same(loaded, model)
    assert loaded.config == TINY
    printed = capsys.readouterr().out
    assert "float32" in printed and "a world model" in printed
    with safe_open(str(out), "pt") as written:
        assert {key.split(".")[0] for key in written.keys()} == {"encoder", "predictor"}  # noqa: SIM118


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_reads_actions_and_poses_stays_exact(
    model: VJEPAWorldModel, checkpoint: Path, out: Path, dtype: str
) -> None:
    converted(checkpoint, *HEADS, "--dtype", dtype, out)
    with safe_open(str(out), "pt") as written:
        for name in ("action_encoder", "state_encoder"):
            exact = model.predictor.state_dict()[f"{name}.weight"]
            assert torch.equal(written.get_tensor(f"predictor.{name}.weight"), exact)
        assert written.get_tensor("encoder.norm.weight").dtype == getattr(torch, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_precision_and_torch_format_is_read(
    model: VJEPAWorldModel, tmp_path: Path, out: Path, dtype: torch.dtype, legacy: bool
) -> None:
    content = official(model)
    for part in ("encoder", "predictor"):
        content[part] = {key: weight.to(dtype) for key, weight in content[part].items()}
    torch.save(content, tmp_path / "in.pth", _use_new_zipfile_serialization=not legacy)
    assert_same(load_world_model(converted(tmp_path / "in.pth", *HEADS, "--dtype", "float32", out)), model, 0.03)


def test_two_files_are_joined(model: VJEPAWorldModel, tmp_path: Path, out: Path) -> None:
    torch.save(jepa_wms(model), tmp_path / "ac.pth.tar")
    torch.save(pretraining(model.encoder.state_dict()), tmp_path / "vit.pt")
    inputs = "--encoder", tmp_path / "vit.pt", "--predictor", tmp_path / "ac.pth.tar"
    assert_same(load_world_model(converted(*inputs, *HEADS, "--dtype", "float32", out)), model)
    told = header(out)
    assert (told["encoder_file"], told["encoder_entry"]) == ("vit.pt", "target_encoder")
    assert told["predictor_file"] == "ac.pth.tar" and told["predictor_trained_with"] == "not known"


@pytest.mark.parametrize("shards", [1, 3])
def test_a_hugging_face_folder_gives_the_encoder(
    model: VJEPAWorldModel, tmp_path: Path, out: Path, shards: int
) -> None:
    folder = hugging_face(tmp_path / "hf", model, shards)
    torch.save(jepa_wms(model), tmp_path / "ac.pth.tar")
    inputs = "--encoder", folder, "--predictor", tmp_path / "ac.pth.tar"
    assert_same(load_world_model(converted(*inputs, "--pred-heads", "3", "--dtype", "float32", out)), model)
    clip = torch.randn(1, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    assert relative_error(load_encoder(folder)(clip), model.encoder(clip)) < 1e-6


def test_the_folder_that_transformers_wrote_gives_its_tokens(out: Path) -> None:
    folder = reference("golden/hf_vjepa2/expected.npz").parent
    expected = {name: torch.from_numpy(value) for name, value in np.load(folder / "expected.npz").items()}
    for path in (folder, folder / "model.safetensors", converted(folder, "--dtype", "float32", out)):
        with torch.no_grad():
            assert relative_error(load_encoder(path)(expected["clip"]), expected["video_tokens"]) < 1e-6


@pytest.mark.parametrize("entry", ["ema_encoder", "target_encoder"])
def test_a_v_jepa_2_1_encoder_is_kept_for_post_training(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], entry: str
) -> None:
    state = tiny_encoder_21()
    torch.save(pretraining(state, entry), tmp_path / "vjepa2_1.pt")
    converted(tmp_path / "vjepa2_1.pt", "--encoder-heads", "2", "--img-size", "64", "--dtype", "float32", out)
    assert "an encoder alone" in capsys.readouterr().out
    loaded = load_encoder(out)
    assert loaded.config == TINY_21 and header(out)["encoder_entry"] == entry
    image = torch.randn(1, 3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(image), build_encoder(TINY_21, state)(image))
    with pytest.raises(CheckpointError, match="it is a video encoder alone"):
        load_world_model(out)


def test_a_2_1_encoder_with_a_predictor_is_a_world_model(tmp_path: Path, out: Path, model: VJEPAWorldModel) -> None:
    torch.save(pretraining(tiny_encoder_21(), "ema_encoder"), tmp_path / "vjepa2_1.pt")
    torch.save(jepa_wms(model), tmp_path / "ac.pt")
    inputs = "--encoder", tmp_path / "vjepa2_1.pt", "--predictor", tmp_path / "ac.pt"
    loaded = load_world_model(converted(*inputs, *HEADS, "--frame-as", "clip", out))
    assert (loaded.config.family, loaded.config.frame_as, loaded.embed_dim) == ("vjepa2.1", "clip", 24)
    assert "latents of 96 features (dense" in refused(*inputs, *HEADS, "--dense", out)


def spoilt(content: dict, part: str, key: str, change: Any) -> dict:
    state = {name: weight.clone() for name, weight in content[part].items()}
    found = next(name for name in state if name.endswith(key))
    if change is None:
        del state[found]
    else:
        state[found] = change(state[found])
    return content | {part: state}


def with_number(number: float) -> Any:
    def change(weight: Tensor) -> Tensor:
        weight.view(-1)[3] = number
        return weight

    return change


@pytest.mark.parametrize(
    ("part", "key", "change", "message"),
    [
        ("encoder", "norm.weight", None, "missing: norm.weight"),
        ("encoder", "blocks.1.attn.qkv.weight", None, "missing: blocks.1.attn.qkv.weight"),
        ("encoder", "norm.bias", lambda weight: weight[:7], "norm.bias is [7] instead of [24]"),
        ("predictor", "predictor_proj.weight", None, "only part of a predictor (missing: predictor_proj.weight)"),
        ("predictor", "state_encoder.weight", None, "trained without the arm's state"),
        (
            "predictor",
            "action_encoder.weight",
            lambda weight: weight[:, :6].clone(),
            "action_encoder reads 6 numbers",
        ),
        ("encoder", "norm.weight", with_number(float("nan")), "NaN or infinite (norm.weight)"),
        ("predictor", "predictor_norm.bias", with_number(float("-inf")), "NaN or infinite (predictor_norm.bias)"),
    ],
)
def test_nothing_is_written_of_a_broken_checkpoint(
    model: VJEPAWorldModel, tmp_path: Path, out: Path, part: str, key: str, change: Any, message: str
) -> None:
    torch.save(spoilt(official(model), part, key, change), tmp_path / "broken.pt")
    assert message in refused(tmp_path / "broken.pt", *HEADS, out)


@pytest.mark.parametrize(
    ("part", "key", "message"),
    [
        ("encoder", "surplus.weight", "unknown: surplus.weight"),
        ("encoder", "blocks.0.mlp.fc3.weight", "it uses SwiGLU"),
        ("predictor", "predictor_blocks.3.norm1.weight", "only part of the predictor: predictor_blocks.1 and more"),
    ],
)
def test_surplus_weights_betray_another_architecture(
    model: VJEPAWorldModel, tmp_path: Path, out: Path, part: str, key: str, message: str
) -> None:
    content = official(model)
    content[part] = content[part] | {key: torch.zeros(3)}
    torch.save(content, tmp_path / "other.pt")
    assert message in refused(tmp_path / "other.pt", *HEADS, out)


def test_jepa_wms_weights_for_extrinsics_mean_that_they_are_used(
    model: VJEPAWorldModel, checkpoint: Path, tmp_path: Path, out: Path
) -> None:
    content = jepa_wms(model)
    content["predictor"]["extrinsics_encoder.weight"] = torch.zeros(36, 6)
    torch.save(content, tmp_path / "ac.pth.tar")
    said = refused("--encoder", checkpoint, "--predictor", tmp_path / "ac.pth.tar", *HEADS, out)
    assert "reads camera extrinsics" in said


def test_numbers_that_float16_cannot_hold_are_refused(model: VJEPAWorldModel, tmp_path: Path, out: Path) -> None:
    torch.save(spoilt(official(model), "encoder", "norm.weight", with_number(1e5)), tmp_path / "large.pt")
    said = refused(tmp_path / "large.pt", *HEADS, "--dtype", "float16", out)
    assert "float16 cannot hold (norm.weight, up to 1e+05): use bfloat16" in said
    converted(tmp_path / "large.pt", *HEADS, "--dtype", "bfloat16", out)
    with pytest.raises(CheckpointError, match="float16 cannot hold"):
        load_world_model(out, dtype=torch.float16)


def test_a_full_disk_leaves_the_file_that_was_there(
    checkpoint: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.write_bytes(b"what was good")

    def full(tensors: dict, path: str, metadata: dict) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vjepa_mpc.worldmodel.checkpoints.writing.save_file", full)
    with pytest.raises(WriteError, match=r"could not be written.*No space left"):
        run(convert, checkpoint, *HEADS, out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["official.pt", "out.safetensors"]
    assert out.read_bytes() == b"what was good"


def test_an_old_file_loads_bit_for_bit_after_conversion(tmp_path: Path) -> None:
    before = load_world_model(bundled_model_path())
    after = load_world_model(converted(bundled_model_path(), "--dtype", "float16", tmp_path / "again.safetensors"))
    for part in ("encoder", "predictor"):
        states = [getattr(loaded, part).state_dict() for loaded in (before, after)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert after.config == before.config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.bin"], "must end in .safetensors"),
        (["out.safetensors"], "give a checkpoint and a file to write"),
        (["none/out.safetensors"], "there is no folder"),
        (["in.pt", "--encoder", "a", "--predictor", "b", "out.safetensors"], "not all three"),
        (["none.pt", "out.safetensors"], "is not a file"),
    ],
)
def test_a_command_line_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        run(convert, *arguments)


def test_the_original_is_not_replaced_by_what_is_made_of_it(model: VJEPAWorldModel, out: Path) -> None:
    save_world_model(out, TINY, model.encoder.state_dict(), model.predictor.state_dict(), torch.float32)
    link = out.with_name("link.safetensors")
    link.symlink_to(out)
    for arguments in ((link, out), (out, link), ("--encoder", out, "--predictor", out, out)):
        assert "is what is to be converted: give the output another name" in refused(*arguments)


def test_an_output_that_cannot_be_written_is_named(
    checkpoint: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(out)
    with pytest.raises(ValueError, match=r"OUTPUT .*out\.safetensors cannot be written \(it is a device or a pipe"):
        run(convert, checkpoint, *HEADS, out)
    out.unlink()
    out.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for a file that is write-protected; root may all
    with pytest.raises(ValueError, match=r"OUTPUT .*\(the file is write-protected\)"):
        run(convert, checkpoint, *HEADS, out)
    assert out.read_text() == "old"


def test_the_home_folder_is_expanded(
    model: VJEPAWorldModel, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run(convert, "~/official.pt", *HEADS, "--dtype", "float32", "~/out.safetensors")
    assert_same(load_world_model("~/out.safetensors"), model)


def test_saving_refuses_what_a_precision_cannot_hold(model: VJEPAWorldModel, out: Path) -> None:
    encoder = {key: 1e6 * weight for key, weight in model.encoder.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"out\.safetensors is not written: encoder\..* float16 cannot hold"):
        save_world_model(out, TINY, encoder, model.predictor.state_dict(), torch.float16)
    assert not out.exists()


def test_a_checkpoint_with_a_damaged_weight_is_not_converted(checkpoint: Path, out: Path) -> None:
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
        content = archive.read(largest)
    whole = checkpoint.read_bytes()
    at = whole.index(content) + len(content) // 2
    checkpoint.write_bytes(whole[:at] + bytes(200) + whole[at + 200 :])
    said = refused(checkpoint, *HEADS, out)
    assert f"is damaged: {largest.filename} in it does not match its checksum" in said
