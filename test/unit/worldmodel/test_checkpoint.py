"""Published checkpoints in all their forms, our own format, and files that must be refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from support.checkpoints import TINY, assert_same, official, with_prefix
from vjepa_mpc.worldmodel import (
    MODEL_CONFIGS,
    CheckpointError,
    ModelConfig,
    VJEPAWorldModel,
    build_world_model,
    checkpoint,
    load_world_model,
    save_world_model,
)


@pytest.fixture
def model() -> VJEPAWorldModel:
    return build_world_model(TINY)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny architecture one of those that shapes alone identify."""
    monkeypatch.setitem(MODEL_CONFIGS, "tiny", TINY)


def without_extrinsics(content: dict) -> dict:
    predictor = {key: value for key, value in content["predictor"].items() if "extrinsics" not in key}
    return content | {"predictor": predictor}


def flat(model: VJEPAWorldModel) -> dict[str, Tensor]:
    return with_prefix(model.encoder.state_dict(), "encoder.") | with_prefix(model.predictor.state_dict(), "predictor.")


FORMS = {
    "training checkpoint": official,
    "without wrappers": lambda model: official(model, "", ""),
    "other wrappers": lambda model: official(model, "module.", "module.backbone."),
    "stripped": lambda model: {key: official(model)[key] for key in ("encoder", "predictor")},
    "without the unused extrinsics": lambda model: without_extrinsics(official(model)),
    "flat": flat,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("known")
def test_every_published_form_loads(model: VJEPAWorldModel, tmp_path: Path, form: str) -> None:
    torch.save(FORMS[form](model), tmp_path / "model.pt")
    loaded = load_world_model(tmp_path / "model.pt")
    assert_same(loaded, model)


def test_our_format_carries_its_config(model: VJEPAWorldModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_world_model(path, TINY, model.encoder.state_dict(), model.predictor.state_dict(), torch.float16)
    loaded = load_world_model(path)
    assert loaded.config == TINY and loaded.dtype == torch.float32
    assert_same(loaded, model, tolerance=1e-2)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_saved_model_has_the_permissions_of_a_new_file(
    model: VJEPAWorldModel, tmp_path: Path, umask: int, mode: int
) -> None:
    path, before = tmp_path / "model.safetensors", os.umask(umask)
    try:
        save_world_model(path, TINY, model.encoder.state_dict(), model.predictor.state_dict())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_named_as_such(model: VJEPAWorldModel, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    if suffix == ".pt":
        torch.save(official(model), path)
    else:
        save_world_model(path, TINY, model.encoder.state_dict(), model.predictor.state_dict())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="not a whole"):
        load_world_model(path)


@pytest.mark.usefixtures("known")
def test_optimizer_state_is_never_read_into_memory(model: VJEPAWorldModel, tmp_path: Path) -> None:
    megabytes = 200
    content = official(model) | {"opt": {"exp_avg": torch.zeros(megabytes * 250_000)}}
    torch.save(content, tmp_path / "model.pt")
    before = psutil.Process().memory_info().rss
    loaded = checkpoint.read_checkpoint(tmp_path / "model.pt")
    assert psutil.Process().memory_info().rss - before < 0.25 * megabytes * 1e6
    assert loaded[0] == TINY


class _RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/tmp/vjepa_mpc_pickle_ran"),))  # type: ignore[return-value]


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = Path("/tmp/vjepa_mpc_pickle_ran")
    marker.unlink(missing_ok=True)
    torch.save({"encoder": _RunsCode()}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        load_world_model(tmp_path / "model.pt")
    assert not marker.exists()


def test_a_video_encoder_alone_is_refused(model: VJEPAWorldModel, tmp_path: Path) -> None:
    torch.save({"encoder": model.encoder.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="has no predictor weights"):
        load_world_model(tmp_path / "model.pt")


def test_an_unknown_architecture_is_refused_with_its_sizes(model: VJEPAWorldModel, tmp_path: Path) -> None:
    torch.save(official(model), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="encoder width 24 x 2 layers"):
        load_world_model(tmp_path / "model.pt")


def test_weights_that_do_not_fit_the_config_are_named(model: VJEPAWorldModel, tmp_path: Path) -> None:
    state = model.encoder.state_dict()
    state["norm.weight"] = torch.zeros(7)
    del state["norm.bias"]
    path = tmp_path / "model.safetensors"
    save_world_model(path, TINY, state, model.predictor.state_dict())
    with pytest.raises(
        CheckpointError, match=r"missing: norm\.bias; wrong shape: norm\.weight is \[7\] instead of \[24\]"
    ):
        load_world_model(path)


def test_the_published_sizes_count_the_published_parameters() -> None:
    def parameters(name: str) -> tuple[float, float]:
        with torch.device("meta"):
            built = checkpoint.build_world_model(MODEL_CONFIGS[name], device="meta")
        parts = (built.encoder, built.predictor)
        return tuple(round(sum(p.numel() for p in part.parameters()) / 1e6) for part in parts)  # type: ignore[return-value]

    assert parameters("vit_giant") == (1012, 305)
    assert parameters("vit_large")[0] == 304
    assert parameters("vit_huge")[0] == 632


def test_a_broken_embedded_config_is_refused() -> None:
    with pytest.raises(ValueError, match="img_size=100"):
        ModelConfig.from_dict(json.loads(json.dumps(TINY.to_dict() | {"img_size": 100})))
    with pytest.raises(ValueError, match="incomplete"):
        ModelConfig.from_dict({"img_size": 64})
