"""Files that are no checkpoints: each is told what it is, and none has its contents repeated."""

from __future__ import annotations

import argparse
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from support.checkpoints import HEADS, TINY, Whole, converted, hugging_face, official, pretraining, random_model
from vjepa_mpc.worldmodel import (
    CheckpointError,
    VJEPAWorldModel,
    convert,
    load_encoder,
    load_world_model,
    save_world_model,
)

SECRET = b"root:$6$secret-hash:19000:0:99999:7:::\n"


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return random_model()


def npz(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), weight=np.zeros(3))
    path.with_suffix(".npz").rename(path)


def mlx(path: Path) -> None:
    save_file({"encoder.patch_embed.proj.weight": torch.zeros(2, 2, 2, 2, 3)}, path, metadata={"format": "mlx"})


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.pt", b"weights")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "model.pt")


FILES: dict[str, tuple[bytes | Callable[[Path], None], str]] = {
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a picture, not weights"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(64), "is a picture, not weights"),
    "mp4": (b"\x00\x00\x00\x20ftypisom" + bytes(64), "is a picture or film"),
    "web page": (b"\n<!DOCTYPE html><html><head>" + SECRET, "is a web page: the download gave a login or error page"),
    "bare web page": (b"<html>" + SECRET, "is a web page"),
    "lfs pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 11\n",
        "is a Git LFS pointer.*git lfs pull",
    ),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(64), "is a GGUF file of llama.cpp or ggml"),
    "npz": (npz, "is a NumPy archive, as MLX writes its weights"),
    "mlx": (mlx, "was written by MLX"),
    "numpy": (b"\x93NUMPY\x01\x00" + bytes(64), "is a NumPy array"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file"),
    "zip": (zipped, "is a zip archive that torch did not write: unpack it first"),
    "tar": (tarred, "is a tar archive: unpack it first"),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "is a compressed archive: unpack it first"),
    "empty": (b"", r"is empty \(0 bytes\)"),
    "zeros": (bytes(4096), r"is a file of zeros \(4096 bytes\)"),
    "json": (b'{"weight_map": {}}', "is a JSON text, such as a config or the index of a model in shards"),
    "text": (SECRET, "is a text, not weights"),
    "script": (b"#!/bin/sh\n" + SECRET, "is a script"),
    "random": (bytes(range(200, 256)) * 4, r"is none that is known \(224 bytes\)"),
    "plain pickle": (pickle.dumps({"a": SECRET}), "is a Python pickle that torch.save did not write"),
    "cut safetensors": (
        struct.pack("<Q", 500) + b'{"a": "' + SECRET,
        "is not a whole safetensors file: its header cannot be read",
    ),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_told_what_it_is(tmp_path: Path, name: str, suffix: str) -> None:
    content, message = FILES[name]
    path = tmp_path / f"model{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    for load in (load_world_model, load_encoder):
        with pytest.raises(CheckpointError, match=message) as error:
            load(path)
        assert str(path) in str(error.value)
        assert "secret" not in str(error.value) and "root" not in str(error.value).replace(str(path), "")


def test_a_folder_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder without a model: it has nothing in it"):
        load_world_model(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"is a folder without a model: it has model\.pt"):
        load_world_model(tmp_path)


def test_an_absent_file_is_told_apart_from_a_dangling_link(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pt is not a file: give the path of a checkpoint"):
        load_world_model(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match=r"not even its folder .* is there"):
        load_world_model(tmp_path / "nowhere" / "none.pt")
    (tmp_path / "link.pt").symlink_to(tmp_path / "blob")
    with pytest.raises(CheckpointError, match=r"it links to .*blob, which is not there"):
        load_world_model(tmp_path / "link.pt")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        load_world_model(tmp_path / "model.pt")


def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"x")

    def denied(self: Path, *args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # whoever is root may read everything
    with pytest.raises(CheckpointError, match="no permission to read it"):
        load_world_model(path)


def test_an_unknown_home_folder_is_said() -> None:
    with pytest.raises(ValueError, match="stands for no home folder"):
        load_world_model("~nobody-of-this-name/model.pt")


def test_safetensors_and_torch_files_load_under_any_name(model: VJEPAWorldModel, tmp_path: Path) -> None:
    save_world_model(tmp_path / "renamed.pt", TINY, model.encoder.state_dict(), model.predictor.state_dict())
    assert load_world_model(tmp_path / "renamed.pt").config == TINY
    torch.save(official(model), tmp_path / "renamed.safetensors")
    assert load_world_model(converted(tmp_path / "renamed.safetensors", *HEADS, tmp_path / "o.safetensors"))


def test_a_cut_safetensors_file_says_how_much_is_there(model: VJEPAWorldModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_world_model(path, TINY, model.encoder.state_dict(), model.predictor.state_dict())
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=f"{size - 1000} of its {size} bytes are there"):
        load_world_model(path)


def test_each_missing_part_is_told(model: VJEPAWorldModel, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"predictor": model.predictor.state_dict()}, path)
    with pytest.raises(CheckpointError, match=r"has no encoder weights: it holds a predictor alone.*--encoder ENCODER"):
        load_world_model(path)
    torch.save(model.predictor.state_dict(), path)  # without a name around it
    with pytest.raises(CheckpointError, match="it holds a predictor alone"):
        load_world_model(path)
    torch.save(pretraining(model.encoder.state_dict()), path)
    with pytest.raises(CheckpointError, match="a video encoder alone with the predictor of masked patches"):
        load_world_model(path)
    torch.save({"generator": {"weight": torch.zeros(3)}, "step": 3}, path)
    with pytest.raises(CheckpointError, match=r"neither encoder nor predictor .*\(its entries: generator, step\)"):
        load_world_model(path)
    torch.save(torch.zeros(3), path)
    with pytest.raises(CheckpointError, match="holds a single tensor"):
        load_world_model(path)


@pytest.mark.parametrize("part", ["encoder", "predictor"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_no_numbers_are_refused_on_loading(
    model: VJEPAWorldModel, tmp_path: Path, part: str, dtype: torch.dtype
) -> None:
    states = {name: getattr(model, name).state_dict() for name in ("encoder", "predictor")}
    key = next(iter(states[part]))
    states[part] = states[part] | {key: states[part][key] / 0}
    save_world_model(tmp_path / "model.safetensors", TINY, *states.values())
    with pytest.raises(CheckpointError, match=rf"the {part} has weights that are NaN or infinite \({key}\)"):
        load_world_model(tmp_path / "model.safetensors", dtype=dtype)


PICKLES: dict[str, Callable[[VJEPAWorldModel], Any]] = {
    "a module": Whole,
    "modules by name": lambda model: {"encoder": model.encoder, "predictor": model.predictor},
    "arguments": lambda model: official(model) | {"args": argparse.Namespace(lr=1e-3)},
}


@pytest.mark.parametrize(("name", "legacy"), [("a module", False), ("modules by name", False), ("arguments", True)])
def test_the_three_lines_save_the_tensors_of_an_unsafe_pickle(
    model: VJEPAWorldModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, legacy: bool
) -> None:
    path = tmp_path / "model.pt"
    torch.save(PICKLES[name](model), path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="holds more than tensors") as error:
        load_world_model(path)
    message = str(error.value)
    named = {"a module": "Whole", "modules by name": "encoder.Encoder", "arguments": "argparse.Namespace"}[name]
    assert named in message
    lines = [line.strip() for line in message.splitlines()[-3:]]
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})
    rescued = load_world_model(converted(tmp_path / "model_tensors.pt", *HEADS, tmp_path / "out.safetensors"))
    assert rescued.config == TINY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "dinov2"}, "of type 'dinov2'"),
        ({"hidden_act": "silu"}, "with silu in place of GELU"),
        ({"qkv_bias": False}, "qkv_bias=False instead of True"),
        ({"num_hidden_layers": 9}, r"are \(24, 2\), and the config says \(24, 9\)"),
        ({"hidden_size": "wide"}, "is incomplete: it needs crop_size"),
    ],
)
def test_a_folder_of_another_model_is_named(
    model: VJEPAWorldModel, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = hugging_face(tmp_path / "hf", model, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_encoder(folder)


def test_a_folder_with_holes_is_told_what_it_lacks(model: VJEPAWorldModel, tmp_path: Path) -> None:
    folder = hugging_face(tmp_path / "hf", model, shards=3)
    shard = folder / "model-00002-of-00003.safetensors"
    kept = shard.read_bytes()
    shard.unlink()
    with pytest.raises(CheckpointError, match=r"lacks 1 of 3 shards \(model-00002-of-00003\.safetensors\)"):
        load_encoder(folder)
    shard.write_bytes(kept[:-10])
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.safetensors is not a whole"):
        load_encoder(folder)
    shard.write_bytes(kept)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json, which tells what the weights do not"):
        load_encoder(folder)


def test_a_folder_may_not_name_files_outside_of_it(model: VJEPAWorldModel, tmp_path: Path) -> None:
    folder = hugging_face(tmp_path / "hf", model, shards=2)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../etc/passwd"}}')
    with pytest.raises(CheckpointError, match="names shards outside of its folder"):
        load_encoder(folder)


def test_convert_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "goal.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    parser = argparse.ArgumentParser()
    convert.add_arguments(parser)
    with pytest.raises(CheckpointError, match="is a picture, not weights"):
        convert.main(parser.parse_args([str(tmp_path / "goal.png"), str(tmp_path / "out.safetensors")]))


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_quantised_weights_are_no_plain_numbers(model: VJEPAWorldModel, tmp_path: Path, dtype: torch.dtype) -> None:
    content = official(model)
    content["encoder"] = {key: weight.to(dtype) for key, weight in content["encoder"].items()}
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"the encoder is quantised \(patch_embed\.proj\.weight holds"):
        converted(tmp_path / "model.pt", *HEADS, tmp_path / "out.safetensors")


def test_a_folder_of_post_training_is_its_model(model: VJEPAWorldModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_world_model(path, TINY, model.encoder.state_dict(), model.predictor.state_dict())
    assert load_world_model(tmp_path).config == TINY
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "__0_0.distcp").touch()
    with pytest.raises(CheckpointError, match="is a distributed checkpoint of torch"):
        load_world_model(tmp_path / "step")
