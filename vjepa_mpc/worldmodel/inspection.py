"""``vjepa-mpc inspect FILE``: what a checkpoint holds, where it comes from, and what it can be used for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from vjepa_mpc.arguments import local_path
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError, NotToldError
from vjepa_mpc.worldmodel.checkpoints.loading import (
    OpenedEncoder,
    OpenedPredictor,
    joined,
    open_encoder,
    open_model,
    open_predictor,
)
from vjepa_mpc.worldmodel.checkpoints.opening import open_source
from vjepa_mpc.worldmodel.checkpoints.parts import entry_names, find_encoder, find_predictor
from vjepa_mpc.worldmodel.checkpoints.provenance import fingerprint
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.vjepa.frames import build_encoder
from vjepa_mpc.worldmodel.vjepa.world_model import build_world_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-command's arguments."""
    parser.add_argument("file", type=local_path, help="checkpoint: a file, or a Hugging Face folder")


def main(args: argparse.Namespace) -> int:
    """Print what the checkpoint holds; returns the exit status.

    Raises:
        CheckpointError: it cannot be read.
    """
    for line in described(open_source(args.file)):
        print(line)
    return 0


def described(source: Source) -> Iterator[str]:
    """A checkpoint in lines of text."""
    size = sum(file.stat().st_size for file in source.files)
    yield f"{source.path}: {source.form}, {size / 1e6:.1f} MB"
    yield f"  entries     {entry_names(source)}"
    encoder = find_encoder(source)
    if encoder is not None:
        yield f"  encoder     {_weights(encoder.state)}, fingerprint {fingerprint(encoder.state)}"
        yield from _architecture(lambda: _encoder_sizes(open_encoder(source)))
    predictor = find_predictor(source)
    if predictor is not None:
        yield f"  predictor   {_weights(predictor.state)}"
        yield from _architecture(lambda: _predictor_sizes(open_predictor(source)))
    for name, text in sorted(source.header.items()):
        yield f"  {name:<22} {text}"
    yield f"  => {_use(source, encoder is not None, predictor is not None)}"


def _weights(state: Mapping[str, Tensor]) -> str:
    kinds: dict[str, int] = {}
    for weight in state.values():
        name = str(weight.dtype).removeprefix("torch.")
        kinds[name] = kinds.get(name, 0) + weight.numel()
    precisions = " and ".join(sorted(kinds, key=lambda name: -kinds[name]))
    return f"{sum(kinds.values()) / 1e6:.1f} M weights in {precisions}"


def _architecture(lines: Callable[[], list[str]]) -> Iterator[str]:
    try:
        for line in lines():
            yield f"              {line}"
    except NotToldError as error:
        yield f"              {' and '.join(error.sizes)}; to be told to convert: {', '.join(error.options)}"
    except CheckpointError as error:
        yield f"              {error}"


def _encoder_sizes(encoder: OpenedEncoder) -> list[str]:
    setup, sizes = encoder.setup, encoder.setup.encoder
    shown = "an image" if setup.frames_per_picture == 1 else f"a clip of {setup.frames_per_picture} equal frames"
    lines = [
        f"{setup.family}: width {sizes.embed_dim} x {sizes.depth} layers x {sizes.num_heads} heads, pictures of "
        f"{setup.img_size} px as {shown}, patches of {setup.patch_size} px",
        f"latents of {setup.tokens_per_frame} tokens with {setup.latent_dim} features"
        + (" (dense: four layers side by side)" if setup.dense else ""),
    ]
    return lines + _assumed(encoder.assumed)


def _predictor_sizes(predictor: OpenedPredictor) -> list[str]:
    sizes = predictor.config
    line = (
        f"width {sizes.predictor_embed_dim} x {sizes.depth} layers x {sizes.num_heads} heads, for latents with "
        f"{sizes.embed_dim} features"
    )
    return [line, *_assumed(predictor.assumed)]


def _assumed(assumed: tuple[str, ...]) -> list[str]:
    return [f"assumed, as the weights do not show it: {', '.join(assumed)}"] if assumed else []


def _use(source: Source, has_encoder: bool, has_predictor: bool) -> str:
    """What can be done with it, after the same checks as on loading."""
    try:
        if has_encoder and has_predictor:
            encoder, predictor = open_model(source, source)
            build_world_model(joined(encoder, predictor), encoder.part.state, predictor.part.state)
            return "a world model: the node, evaluate and post-train take it"
        if has_encoder:
            encoder = open_encoder(source)
            build_encoder(encoder.setup, encoder.part.state)
            return "an encoder alone: train a predictor for it with `vjepa-mpc post-train --encoder`"
        predictor = open_predictor(source)
        return (
            "a predictor alone: join it with its encoder by `vjepa-mpc convert --encoder ENCODER --predictor THIS OUT`"
        )
    except ValueError as error:
        return f"cannot be used: {error}"
