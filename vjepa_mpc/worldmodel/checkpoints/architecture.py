"""The architecture of weights: read off their shapes, told by somebody, or assumed and said so."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError, NotToldError
from vjepa_mpc.worldmodel.checkpoints.parts import Part
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.vjepa.config import (
    ENCODER_SETUPS,
    MODEL_CONFIGS,
    VJEPA2,
    VJEPA21,
    EncoderConfig,
    EncoderSetup,
    PredictorConfig,
)
from vjepa_mpc.worldmodel.vjepa.predictor import ACTION_DIM

# Sizes of pictures that models are trained at, for what a table of positions may tell.
_USUAL_SIZES = (224, 256, 288, 384, 512)


def read_encoder(file: object, part: Part, told: Told) -> tuple[EncoderSetup, list[str]]:
    """The setup of an encoder, and what was assumed of it.

    Args:
        file: named in messages.
        part: its weights.
        told: beside them.

    Raises:
        CheckpointError: it is of another kind, what is told contradicts it, or more has to be told.
    """
    state = part.state
    _check_told(file, told)
    _check_blocks(file, "encoder", state, "blocks")
    kernel = state["patch_embed.proj.weight"]
    _check_patches(file, kernel)
    width, tubelet, patch = kernel.shape[0], kernel.shape[2], kernel.shape[3]
    depth, family = _depth(state, "blocks"), VJEPA21 if "norms_block.0.weight" in state else VJEPA2
    for name, found, said in (
        ("width and layers", (width, depth), told.encoder_size),
        ("patch_size", patch, told.patch_size),
        ("tubelet_size", tubelet, told.tubelet_size),
    ):
        _check_same(file, "encoder", name, found, said)
    known = _published_encoder(family, width, depth)
    assumed = []
    heads, size = told.encoder_heads, told.img_size
    if heads is None and known is not None:
        heads = known.encoder.num_heads
        assumed.append(f"{heads} attention heads in the encoder")
    if size is None and known is not None:
        size = known.img_size
        _check_positions(file, part, size, patch, tubelet)
        assumed.append(f"pictures of {size} px")
    if heads is None or size is None:
        options = [name for name, value in (("--encoder-heads", heads), ("--img-size", size)) if value is None]
        raise NotToldError(file, [f"encoder width {width} x {depth} layers"], options)
    if told.rope is None:
        assumed.append("rotary positions")
    if told.activation is None:
        assumed.append("GELU")
    sizes = EncoderConfig(embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=_mlp_ratio(state, "blocks", width))
    try:
        setup = EncoderSetup(
            family=family,
            img_size=size,
            patch_size=patch,
            tubelet_size=tubelet,
            encoder=sizes,
            frame_as=told.frame_as,
            dense=bool(told.dense),
        )
    except ValueError as error:
        raise CheckpointError(f"{file}: {error}") from error
    return setup, assumed


def read_predictor(file: object, part: Part, told: Told) -> tuple[PredictorConfig, list[str]]:
    """The sizes of a predictor, and what was assumed. Arguments and errors are as for :func:`read_encoder`."""
    state = part.state
    _check_told(file, told)
    _check_blocks(file, "predictor", state, "predictor_blocks")
    width, latent_dim = state["predictor_embed.weight"].shape
    depth = _depth(state, "predictor_blocks")
    _check_same(file, "predictor", "width and layers", (width, depth), told.predictor_size)
    _check_conditions(file, part)
    heads, assumed = told.pred_heads, []
    if heads is None:
        heads = _published_predictor_heads(width, depth)
        if heads is None:
            raise NotToldError(file, [f"predictor width {width} x {depth} layers"], ["--pred-heads"])
        assumed.append(f"{heads} attention heads in the predictor")
    if told.frame_causal is None:
        assumed.append("attention that is causal over frames")
    if told.extrinsics is None and not part.proprio:  # jepa-wms has weights for them only where they are used
        assumed.append("no camera extrinsics")
    sizes = PredictorConfig(
        embed_dim=latent_dim,
        predictor_embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=_mlp_ratio(state, "predictor_blocks", width),
    )
    return sizes, assumed


def _check_told(file: object, told: Told) -> None:
    """Refuse variants that are not computed."""
    for differs, what in (
        (told.rope is False, "without rotary positions (use_rope: false)"),
        (told.extrinsics is True, "that reads camera extrinsics (use_extrinsics: true)"),
        (told.frame_causal is False, "without causal attention over frames (pred_is_frame_causal: false)"),
        (
            told.activation is not None and told.activation.lower() != "gelu",
            f"with {str(told.activation)[:20]} in place of GELU",
        ),
    ):
        if differs:
            raise CheckpointError(
                f"{file}: this is a model {what}. Its weights fit, but it would be computed wrongly: only the "
                "architecture of Meta's published V-JEPA 2 and 2-AC models is computed"
            )


def _check_blocks(file: object, part: str, state: Mapping[str, Tensor], blocks: str) -> None:
    """Refuse keys that betray another kind of transformer block."""
    if any(re.fullmatch(rf"{blocks}\.\d+\.mlp\.fc3\.weight", key) for key in state):
        raise CheckpointError(
            f"{file}: the {part} has three linear layers in each MLP (fc3): it uses SwiGLU (use_silu), which is not "
            "computed; published models use GELU"
        )
    layers = sorted({int(match[1]) for key in state if (match := re.match(rf"{blocks}\.(\d+)\.", key))})
    gaps = sorted(set(range(layers[-1] + 1)) - set(layers)) if layers else [0]
    if gaps:
        raise CheckpointError(
            f"{file} has only part of the {part}: {blocks}.{gaps[0]}{' and more' if len(gaps) > 1 else ''} is missing; "
            "the file was cut, or holds one rank's share of a model"
        )


def _check_patches(file: object, kernel: Tensor) -> None:
    shape = list(kernel.shape)
    if len(shape) == 4:
        raise CheckpointError(
            f"{file} is an encoder of images ({shape} patches), not of video: it is no V-JEPA 2 model"
        )
    if len(shape) != 5 or shape[1] != 3:
        mlx = "; MLX lays weights out like this" if len(shape) == 5 and shape[-1] == 3 else ""
        raise CheckpointError(
            f"{file}: patch_embed.proj.weight is {shape} instead of [width, 3, frames, pixels, pixels]{mlx}: get the "
            "PyTorch checkpoint"
        )
    if shape[3] != shape[4]:
        raise CheckpointError(f"{file}: patches of {shape[3]} x {shape[4]} px are not square")


def _check_conditions(file: object, part: Part) -> None:
    for name in ("action_encoder", "state_encoder"):
        inputs = part.state[f"{name}.weight"].shape[-1]
        if inputs != ACTION_DIM:
            raise CheckpointError(
                f"{file}: its {name} reads {inputs} numbers: planning needs a model of one arm's pose and closedness, "
                f"which are {ACTION_DIM}"
            )
    if part.proprio and any(key.startswith("extrinsics_encoder.") for key in part.state):
        _check_told(file, Told(extrinsics=True))


def _check_same(file: object, part: str, name: str, found: object, said: object) -> None:
    if said is not None and found != said:
        raise CheckpointError(
            f"{file}: the {part}'s {name} {'are' if ' and ' in name else 'is'} {found}, and the config says {said}: it "
            "is the config of another model"
        )


def _check_positions(file: object, part: Part, size: int, patch: int, tubelet: int) -> None:
    """A table of positions is made for one size of pictures; it must not speak for another than is assumed."""
    if part.positions is None or _fits(part.positions, size // patch):
        return
    others = [other for other in _USUAL_SIZES if _fits(part.positions, other // patch)]
    if others:
        raise CheckpointError(
            f"{file}: its table of {part.positions} positions was made for pictures of {others[0]} px, while models of "
            f"its size are usually trained at {size} px: convert it with --img-size {others[0]} or --img-size {size}"
        )


def _fits(positions: int, grid: int) -> bool:
    """Whether so many positions are those of a square grid at some usual number of time steps, a power of two."""
    steps, rest = divmod(positions, grid * grid)
    return rest == 0 and steps > 0 and steps & (steps - 1) == 0


def _published_encoder(family: str, width: int, depth: int) -> EncoderSetup | None:
    for setup in (*MODEL_CONFIGS.values(), *ENCODER_SETUPS.values()):
        if (setup.family, setup.encoder.embed_dim, setup.encoder.depth) == (family, width, depth):
            return setup
    return None


def _published_predictor_heads(width: int, depth: int) -> int | None:
    for config in MODEL_CONFIGS.values():
        if (config.predictor.predictor_embed_dim, config.predictor.depth) == (width, depth):
            return config.predictor.num_heads
    return None


def _depth(state: Mapping[str, Tensor], blocks: str) -> int:
    return 1 + max(int(key.split(".")[1]) for key in state if key.startswith(f"{blocks}."))


def _mlp_ratio(state: Mapping[str, Tensor], blocks: str, width: int) -> float:
    hidden = state.get(f"{blocks}.0.mlp.fc1.weight")
    return 4.0 if hidden is None else hidden.shape[0] / width  # one that is missing is named when weights are checked
