"""Small models in the forms that people have checkpoints in, and the commands that take them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from support.golden import relative_error
from vjepa_mpc.worldmodel import (
    CheckpointError,
    EncoderSetup,
    ModelConfig,
    VJEPAWorldModel,
    build_encoder,
    build_world_model,
    convert,
)

# Unlike any published architecture in every size but what the shapes cannot tell: the heads.
TINY = ModelConfig.from_dict(
    {
        "img_size": 64,
        "encoder": {"embed_dim": 24, "depth": 2, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 36, "depth": 1, "num_heads": 3},
    }
)
TINY_21 = EncoderSetup.from_dict(
    {"family": "vjepa2.1", "img_size": 64, "encoder": {"embed_dim": 24, "depth": 12, "num_heads": 2}}
)
HEADS = ("--encoder-heads", "2", "--pred-heads", "3", "--img-size", "64")
# The same in upstream's training YAML, which names encoders instead of their sizes.
TINY_YAML = """
app: vjepa_droid
data: {crop_size: 64, fps: 4, patch_size: 16, tubelet_size: 2}
model: {pred_depth: 1, pred_embed_dim: 36, pred_num_heads: 3, use_rope: true, use_extrinsics: false,
        pred_is_frame_causal: true}
"""


def random_model(seed: int = 0) -> VJEPAWorldModel:
    """A model with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_world_model(TINY)


def tiny_encoder_21(seed: int = 0) -> dict[str, Tensor]:
    """Random weights of a V-JEPA 2.1 encoder, none of them zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = build_encoder(TINY_21).state_dict()
        return {key: weight + 0.02 * torch.randn_like(weight) for key, weight in state.items()}


class Whole(torch.nn.Module):
    """A model that somebody pickles whole."""

    def __init__(self, model: VJEPAWorldModel) -> None:
        super().__init__()
        self.encoder, self.predictor = model.encoder, model.predictor


def with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same under longer names."""
    return {prefix + key: value for key, value in state.items()}


def official(
    model: VJEPAWorldModel, encoder_prefix: str = "module.backbone.", predictor_prefix: str = "module."
) -> dict:
    """The shape of Meta's training checkpoint."""
    encoder = model.encoder.state_dict()
    return {
        "encoder": with_prefix(encoder | {"pos_embed": torch.zeros(1, 8, 24)}, encoder_prefix),
        "predictor": with_prefix(model.predictor.state_dict(), predictor_prefix),
        "target_encoder": with_prefix({key: torch.zeros_like(value) for key, value in encoder.items()}, encoder_prefix),
        "opt": {"state": {0: {"exp_avg": torch.zeros(5)}}, "param_groups": [{"lr": 1e-4}]},
        "epoch": 315,
        "loss": 0.1,
    }


def pretraining(encoder: dict[str, Tensor], entry: str = "target_encoder") -> dict:
    """The shape of Meta's checkpoints without an action-conditioned predictor."""
    student = {key: torch.zeros_like(value) for key, value in encoder.items()}
    masked = {"mask_tokens.0": torch.zeros(1, 1, 6), "predictor_embed.weight": torch.zeros(6, 24)}
    return {
        "encoder": with_prefix(student, "module.backbone."),
        "predictor": with_prefix(masked, "module.backbone."),
        entry: with_prefix(encoder, "module.backbone."),
        "epoch": 3,
    }


def jepa_wms(model: VJEPAWorldModel) -> dict:
    """The shape of jepa-wms' checkpoints: a predictor alone, whose state encoder has another name."""
    predictor = {
        key.replace("state_encoder", "proprio_encoder"): value
        for key, value in model.predictor.state_dict().items()
        if "extrinsics" not in key
    }
    return {"predictor": with_prefix(predictor, "module."), "opt": {"state": {}}, "scaler": {}, "epoch": 315}


def hugging_face(folder: Path, model: VJEPAWorldModel, shards: int = 1, **changes: object) -> Path:
    """A folder as transformers saves one, with the encoder of a model."""
    folder.mkdir()
    sizes = model.config.encoder
    config = {
        "model_type": "vjepa2",
        "crop_size": model.config.img_size,
        "hidden_size": sizes.embed_dim,
        "num_hidden_layers": sizes.depth,
        "num_attention_heads": sizes.num_heads,
        "hidden_act": "gelu",
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    state = _transformers_names(model.encoder.state_dict())
    if shards == 1:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    names = [f"model-{number + 1:05}-of-{shards:05}.safetensors" for number in range(shards)]
    weight_map = {key: names[index % shards] for index, key in enumerate(state)}
    for name in names:
        save_file({key: state[key] for key, shard in weight_map.items() if shard == name}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def _transformers_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for key, value in state.items():
        name = key.replace("patch_embed.", "embeddings.patch_embeddings.").replace("blocks.", "layer.")
        name = name.replace("attn.", "attention.")
        name = name.replace("norm.", "layernorm.") if name.startswith("norm.") else name
        if ".qkv." in name:
            for part, weight in zip(("query", "key", "value"), value.chunk(3), strict=True):
                named[f"encoder.{name.replace('qkv', part)}"] = weight.contiguous()
        else:
            named[f"encoder.{name}"] = value
    return named


def run(module: ModuleType, *arguments: object) -> int:
    """A command's exit status."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    status: int = module.main(parser.parse_args([str(argument) for argument in arguments]))
    return status


def converted(*arguments: object) -> Path:
    """What ``vjepa-mpc convert`` wrote; the output is the last argument."""
    assert run(convert, *arguments) == 0
    return Path(str(arguments[-1]))


def header(path: Path) -> dict[str, str]:
    """The texts in a safetensors file's header."""
    with safe_open(str(path), "pt") as opened:
        return dict(opened.metadata() or {})


def refused(*arguments: object) -> str:
    """What convert says against it; it must leave nothing beside what was there."""
    output = Path(str(arguments[-1]))
    before = {path.name: path.stat().st_mtime_ns for path in output.parent.iterdir()}
    with pytest.raises(CheckpointError) as error:
        run(convert, *arguments)
    assert {path.name: path.stat().st_mtime_ns for path in output.parent.iterdir()} == before
    return str(error.value)


def assert_same(loaded: VJEPAWorldModel, model: VJEPAWorldModel, tolerance: float = 1e-6) -> None:
    """Latents and a prediction of both are equal, relatively within a tolerance."""
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    latent = model.encode(images)
    assert relative_error(loaded.encode(images), latent) <= tolerance
    action, pose = torch.full((1, 7), 0.1), torch.full((7,), 0.3)
    predicted = [built.start_rollout(latent[0], pose, 1).step(action) for built in (loaded, model)]
    assert relative_error(*predicted) <= tolerance
