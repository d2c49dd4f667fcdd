"""Encoder and predictor out of a checkpoint's entries, under upstream's key names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.source import Source

# Training wraps networks; the wrappers' names stay in the keys.
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:module|backbone|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_ENCODERS = ("encoder", "target_encoder", "ema_encoder")
_CONTAINERS = ("model", "state_dict", "model_state_dict", "vjepa2")
# The names of transformers' VJEPA2Model, for upstream's.
_HUGGING_FACE = (
    (re.compile(r"^embeddings\.patch_embeddings\."), "patch_embed."),
    (re.compile(r"^layer\.(\d+)\.attention\.proj\."), r"blocks.\1.attn.proj."),
    (re.compile(r"^layer\.(\d+)\.attention\.(query|key|value)\."), r"blocks.\1.attn.\2."),
    (re.compile(r"^layer\."), "blocks."),
    (re.compile(r"^layernorm\."), "norm."),
)
_QUERY = re.compile(r"^(blocks\.\d+\.attn\.)query\.(weight|bias)$")
# Enough of each part to know that it is meant to be there and whole; a V-JEPA 2.1 encoder has norms_block, not norm.
_PREDICTOR_ENDS = ("predictor_embed.weight", "predictor_norm.weight", "predictor_proj.weight")
_CONDITIONS = ("action_encoder.weight", "state_encoder.weight")


@dataclass(frozen=True)
class Part:
    """One network's weights.

    Attributes:
        state: by upstream's key names.
        entry: of the checkpoint that they come from.
        proprio: the state encoder was called ``proprio_encoder``, as jepa-wms has it.
        positions: tokens that a table of positions, which rotary models carry along unused, has room for; None without.
    """

    state: dict[str, Tensor]
    entry: str
    proprio: bool = False
    positions: int | None = None


def find_predictor(source: Source) -> Part | None:
    """The action-conditioned predictor; None without one. Predictors of masked patches, of pre-training, are none.

    Raises:
        CheckpointError: there is only part of one.
    """
    state = _entry(source, "predictor")
    proprio = any(key.startswith("proprio_encoder.") for key in state)
    state = {key.replace("proprio_encoder.", "state_encoder.", 1): weight for key, weight in state.items()}
    if not any(key in state for key in _CONDITIONS):
        return None
    lacking = [key for key in (*_PREDICTOR_ENDS, *_CONDITIONS) if key not in state]
    if not any(key.startswith("predictor_blocks.") for key in state):
        lacking.append("predictor_blocks.*")
    if lacking:
        hint = (
            "it was trained without the arm's state, which planning gives it"
            if lacking == ["state_encoder.weight"]
            else "the file was cut, or holds one rank's share of a model; save the whole state dict"
        )
        raise CheckpointError(f"{source.path} has only part of a predictor (missing: {', '.join(lacking)}): {hint}")
    return Part(state, "predictor", proprio)


def has_masked_predictor(source: Source) -> bool:
    """Whether there is a predictor of masked patches, as pre-training leaves it."""
    return any("mask_token" in key for key in _entry(source, "predictor"))


def find_encoder(source: Source) -> Part | None:
    """The encoder; None without one.

    Pre-training leaves several: the one that follows the others' average is meant to be used. Beside an
    action-conditioned predictor it is the one that this was trained with.

    Raises:
        CheckpointError: there is only part of one.
    """
    names = _ENCODERS if any(key in _entry(source, "predictor") for key in _CONDITIONS) else _ENCODERS[::-1]
    for name in names:
        state = _entry(source, name)
        if state:
            state = _from_hugging_face(state)
            if "patch_embed.proj.weight" not in state:
                raise CheckpointError(
                    f"{source.path} has no V-JEPA encoder under {name}: it lacks patch_embed.proj.weight; its keys "
                    f"are {_shown(state)}"
                )
            table = state.pop("pos_embed", None)  # in published files, and not used by models with rotary positions
            return Part(state, name, positions=int(table.shape[1]) if table is not None and table.ndim == 3 else None)
    return None


def entry_names(source: Source) -> str:
    """The first entries of a checkpoint, for messages."""
    return _shown(source.entries)


def _entry(source: Source, name: str) -> dict[str, Tensor]:
    """One network's weights, nested under its name, flat with its name as a prefix, or alone; no wrappers' names."""
    entries = _unpacked(source.entries)
    nested = entries.get(name)
    if not isinstance(nested, Mapping):
        flat = {_plain(key): value for key, value in entries.items()}
        nested = {key[len(name) + 1 :]: value for key, value in flat.items() if key.startswith(f"{name}.")}
        if not nested and _belongs(flat) == name:
            nested = flat
    weights: dict[str, Tensor] = {}
    for key, value in nested.items():
        if isinstance(value, Tensor):
            plain = _plain(str(key))
            if plain in weights:
                raise CheckpointError(
                    f"{source.path} has {plain} of the {name} twice, under different wrappers' names: keep one of them"
                )
            weights[plain] = value
    return weights


def _unpacked(entries: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries, without a container around them."""
    known = {*_ENCODERS, "predictor"}
    for name in _CONTAINERS:
        inner = entries.get(name)
        if isinstance(inner, Mapping) and not known & {str(key) for key in entries}:
            return {str(key): value for key, value in inner.items()}
    prefix = "vjepa2."
    if any(key.startswith(f"{prefix}encoder.") for key in entries):
        return {key.removeprefix(prefix): value for key, value in entries.items()}
    return entries


def _belongs(flat: Mapping[str, Any]) -> str | None:
    """The network that a bare state dict is of."""
    if "predictor_embed.weight" in flat or any(key.startswith("predictor_blocks.") for key in flat):
        return "predictor"
    if "patch_embed.proj.weight" in flat or "embeddings.patch_embeddings.proj.weight" in flat:
        return "encoder"
    return None


def _plain(key: str) -> str:
    return _WRAPPERS.sub("", key)


def _from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Upstream's names, and query, key and value in one matrix; other state dicts stay as they are."""
    if "embeddings.patch_embeddings.proj.weight" not in state:
        return dict(state)
    renamed: dict[str, Tensor] = {}
    for key, weight in state.items():
        for pattern, name in _HUGGING_FACE:
            key = pattern.sub(name, key)
        renamed[key] = weight
    for key in [key for key in renamed if _QUERY.match(key)]:
        three = [key.replace(".query.", f".{name}.") for name in ("query", "key", "value")]
        if all(name in renamed for name in three):
            renamed[key.replace(".query.", ".qkv.")] = torch.cat([renamed.pop(name) for name in three])
    return renamed


def _shown(entries: Mapping[str, Any]) -> str:
    stems = [f"{name}.*" if dot else name for name, dot, _ in (str(key).partition(".") for key in entries)]
    names = [re.sub(r"[^\w.*]", "?", stem)[:60] for stem in dict.fromkeys(stems)]
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "") if names else "none"
