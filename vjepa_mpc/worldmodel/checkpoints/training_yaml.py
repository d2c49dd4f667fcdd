"""Upstream's training YAML (`app/vjepa_droid`, jepa-wms): it names what the weights do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from vjepa_mpc.files import expanded
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.told import Told

# Upstream's names of encoders: width, layers, heads. "xformers" has other heads, not only another implementation.
_ENCODERS = {
    "vit_tiny": (192, 12, 3),
    "vit_small": (384, 12, 6),
    "vit_base": (768, 12, 12),
    "vit_large": (1024, 24, 16),
    "vit_huge": (1280, 32, 16),
    "vit_giant": (1408, 40, 16),
    "vit_giant_xformers": (1408, 40, 22),
    "vit_gigantic": (1664, 48, 16),
    "vit_gigantic_xformers": (1664, 48, 26),
}
_UPSTREAM_APP, _UPSTREAM_CROP = "vjepa_droid", "droid"
# Of a setting: ends of the dotted names that it has in upstream's and in jepa-wms' files.
_NAMES = {
    "img_size": ("data.crop_size", "data.img_size"),
    "pred_heads": ("model.pred_num_heads", "predictor.pred_num_heads"),
    "pred_depth": ("model.pred_depth", "predictor.pred_depth"),
    "pred_width": ("model.pred_embed_dim", "predictor.pred_embed_dim"),
    "encoder": ("model.model_name", "visual_encoder.enc_name"),
    "rope": ("model.use_rope", "predictor.use_rope", "visual_encoder.enc_use_rope"),
    "extrinsics": ("model.use_extrinsics", "predictor.pred_use_extrinsics"),
    "frame_causal": ("model.pred_is_frame_causal", "predictor.pred_is_frame_causal"),
    "silu": ("model.use_silu", "model.use_SiLU", "predictor.use_SiLU"),
    "patch_size": ("data.patch_size",),
    "tubelet_size": ("data.tubelet_size",),
    "fps": ("data.fps", "droid.fps"),
}


def read_training_yaml(path: str | Path) -> Told:
    """What a training configuration tells about the architecture.

    Raises:
        CheckpointError: it cannot be read, is of something else, or contradicts itself.
    """
    file = expanded(path)
    found = _settings(file)
    encoder = found.get("encoder")
    sizes = _ENCODERS.get(str(encoder).removesuffix("_rope")) if encoder is not None else None
    if encoder is not None and sizes is None:
        raise CheckpointError(
            f"{file}: {str(encoder)[:40]!r} is none of upstream's encoders ({', '.join(_ENCODERS)}): take it out and "
            "give --encoder-heads"
        )
    width, depth = (_converted(file, found, name, int) for name in ("pred_width", "pred_depth"))
    fps = _converted(file, found, "fps", float)
    silu = _converted(file, found, "silu", _truth)
    return Told(
        img_size=_converted(file, found, "img_size", int),
        encoder_heads=sizes[2] if sizes else None,
        encoder_size=sizes[:2] if sizes else None,
        pred_heads=_converted(file, found, "pred_heads", int),
        predictor_size=(width, depth) if width and depth else None,
        rope=_converted(file, found, "rope", _truth),
        extrinsics=_converted(file, found, "extrinsics", _truth),
        frame_causal=_converted(file, found, "frame_causal", _truth),
        activation=None if silu is None else "SiLU" if silu else "gelu",
        patch_size=_converted(file, found, "patch_size", int),
        tubelet_size=_converted(file, found, "tubelet_size", int),
        seconds_a_step=1 / fps if fps else None,
        crop=_UPSTREAM_CROP if found.get("app") == _UPSTREAM_APP else None,
    )


def _settings(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"--config {file} cannot be read: give upstream's training YAML") from error
    except yaml.YAMLError as error:
        raise CheckpointError(f"--config {file} is not YAML: give upstream's training YAML") from error
    found: dict[str, Any] = {}
    entries = dict(_entries(content if isinstance(content, Mapping) else {}))
    for setting, names in _NAMES.items():
        values = [value for key, value in entries.items() if f".{key}".endswith(tuple(f".{name}" for name in names))]
        values = [value for value in values if value is not None]
        if values and any(value != values[0] for value in values):
            raise CheckpointError(f"--config {file} says two things about {setting}: {str(values)[:80]}")
        if values:
            found[setting] = values[0]
    if not found:
        raise CheckpointError(
            f"--config {file} names none of {', '.join(names[0] for names in _NAMES.values())}: give the YAML that the "
            "model was trained with, such as upstream's configs/train/vitg16/droid-256px-8f.yaml"
        )
    return {**found, "app": entries.get("app")}


def _entries(content: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _entries(value, f"{name}.")
        else:
            yield name, value


def _converted(file: Path, found: Mapping[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    """A setting as a number or truth value; None if it is not there."""
    if name not in found:
        return None
    try:
        return kind(found[name])
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"--config {file}: {_NAMES[name][0]}={str(found[name])[:40]!r} is no {_KINDS[kind]}"
        ) from error


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_KINDS: dict[Callable[[Any], Any], str] = {int: "whole number", float: "number", _truth: "truth value (true or false)"}
