"""``vjepa-mpc convert``: any checkpoint to one safetensors file with what planning or post-training needs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

import torch

from vjepa_mpc.arguments import local_path, real, whole
from vjepa_mpc.files import expanded, require_writable
from vjepa_mpc.worldmodel.checkpoint import save_encoder, save_world_model
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.loading import (
    OpenedEncoder,
    OpenedPredictor,
    joined,
    open_encoder,
    open_model,
    open_predictor,
)
from vjepa_mpc.worldmodel.checkpoints.opening import open_source
from vjepa_mpc.worldmodel.checkpoints.parts import find_encoder, find_predictor
from vjepa_mpc.worldmodel.checkpoints.provenance import common_header, encoder_header, model_header
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.checkpoints.torch_file import require_undamaged
from vjepa_mpc.worldmodel.checkpoints.training_yaml import read_training_yaml
from vjepa_mpc.worldmodel.preprocess import Crop
from vjepa_mpc.worldmodel.vjepa.config import FrameAs
from vjepa_mpc.worldmodel.vjepa.frames import build_encoder
from vjepa_mpc.worldmodel.vjepa.world_model import build_world_model

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-command's arguments."""
    parser.usage = (
        "%(prog)s [options] INPUT OUTPUT\n       %(prog)s [options] --encoder ENCODER --predictor PREDICTOR OUTPUT"
    )
    parser.add_argument("input", type=local_path, metavar="INPUT", help="checkpoint: a file, or a Hugging Face folder")
    output = parser.add_argument(
        "output", type=local_path, metavar="OUTPUT", help="file to write; must end in .safetensors"
    )
    # A single path is the output. nargs="?" would say so, too, but takes no options between the paths.
    output.required = False
    parser.add_argument("--encoder", type=local_path, help="take the encoder from this checkpoint")
    parser.add_argument("--predictor", type=local_path, help="take the predictor from this checkpoint")
    parser.add_argument("--dtype", choices=list(_DTYPES), default="bfloat16", help="precision of the weights")
    parser.add_argument("--config", type=local_path, help="upstream's YAML that the model was trained with")
    told = parser.add_argument_group("what the weights do not show", "Each goes before the same in --config.")
    told.add_argument("--img-size", type=whole(1, 65536), help="side of the pictures in pixels")
    told.add_argument("--encoder-heads", type=whole(1, 65536), help="attention heads of the encoder")
    told.add_argument("--pred-heads", type=whole(1, 65536), help="attention heads of the predictor")
    told.add_argument(
        "--seconds-a-step", type=real(0.001, 3600.0), help="time between the frames that it was trained with"
    )
    told.add_argument("--crop", choices=get_args(Crop), help="how its training pictures were cropped")
    told.add_argument(
        "--frame-as", choices=get_args(FrameAs), help="how V-JEPA 2.1 is shown a picture (default: image)"
    )
    told.add_argument(
        "--dense", action="store_true", default=None, help="latents of V-JEPA 2.1 are those of four layers side by side"
    )


def main(args: argparse.Namespace) -> int:
    """Convert and print what was written; returns the exit status.

    Raises:
        CheckpointError: what was given cannot be used; nothing was written.
        ValueError: the file cannot be written there.
        WriteError: the file could not be written; nothing of it is left.
    """
    given, output = (None, args.input) if args.output is None else (args.input, args.output)
    output = expanded(output)
    if output.suffix != ".safetensors":
        raise CheckpointError(f"{output} must end in .safetensors: that is the format that is written")
    if not output.parent.is_dir():
        raise CheckpointError(f"{output} cannot be written: there is no folder {output.parent}")
    require_writable(output, "OUTPUT")
    told = _told(args)
    encoder_source, predictor_source = _sources(given, args.encoder, args.predictor)
    _require_another_file(output, encoder_source, predictor_source)
    dtype = _DTYPES[args.dtype]
    if predictor_source is None:
        encoder = open_encoder(encoder_source, told)
        _write_encoder(output, encoder, told, dtype)
        kind = "an encoder alone, for `vjepa-mpc post-train --encoder`"
        assumed = encoder.assumed
    else:
        encoder, predictor = open_model(encoder_source, predictor_source, told)
        kind = _write_model(output, encoder, predictor, told, dtype)
        assumed = (*encoder.assumed, *predictor.assumed)
    if assumed:
        print(f"assumed, as the weights do not show it: {', '.join(assumed)}; --config tells it")
    print(f"{output}: {kind}, {args.dtype}, {output.stat().st_size / 1e6:.1f} MB")
    return 0


def _told(args: argparse.Namespace) -> Told:
    given = Told(
        img_size=args.img_size,
        encoder_heads=args.encoder_heads,
        pred_heads=args.pred_heads,
        seconds_a_step=args.seconds_a_step,
        crop=args.crop,
        frame_as=args.frame_as,
        dense=args.dense,
    )
    return given if args.config is None else given.over(read_training_yaml(args.config))


def _sources(both: Path | None, encoder: Path | None, predictor: Path | None) -> tuple[Source, Source | None]:
    """Where the encoder and the predictor come from; no predictor for an encoder alone.

    Args:
        both: the checkpoint that has what the others do not give.
        encoder: overrides it.
        predictor: overrides it.
    """
    if both is not None and encoder is not None and predictor is not None:
        raise CheckpointError(f"give {both}, or --encoder and --predictor, not all three")
    paths = encoder or both or predictor, predictor or both
    opened = {path: open_source(path) for path in paths if path is not None}
    for source in opened.values():
        for file in source.files:
            require_undamaged(file)
    of_encoder, of_predictor = (None if path is None else opened[path] for path in paths)
    if of_encoder is None:
        raise CheckpointError("give a checkpoint and a file to write, or --encoder, --predictor and a file to write")
    if predictor is None and of_predictor is not None and find_predictor(of_predictor) is None:
        if find_encoder(of_predictor) is None:
            open_predictor(of_predictor)  # says what it holds
        of_predictor = None
    return of_encoder, of_predictor


def _require_another_file(output: Path, *sources: Source | None) -> None:
    """Keep originals: what is written is rounded, and holds less."""
    files = [file for source in sources if source is not None for file in source.files]
    if output.exists() and any(output.samefile(file) for file in files):
        raise CheckpointError(
            f"{output} is what is to be converted: give the output another name, the original is kept"
        )


def _write_encoder(output: Path, encoder: OpenedEncoder, told: Told, dtype: torch.dtype) -> None:
    state = encoder.part.state
    try:
        built = build_encoder(encoder.setup, state, dtype=dtype)  # with the same checks as on loading
    except ValueError as error:
        raise CheckpointError(f"{encoder.source.path}: {error}") from error
    header = {**encoder.source.header, **encoder_header(encoder), **common_header(encoder.assumed, told)}
    save_encoder(output, encoder.setup, built.state_dict(), dtype, header)


def _write_model(
    output: Path, encoder: OpenedEncoder, predictor: OpenedPredictor, told: Told, dtype: torch.dtype
) -> str:
    config = joined(encoder, predictor)
    states = encoder.part.state, predictor.part.state
    try:
        built = build_world_model(config, *states, dtype=dtype)  # with the same checks as on loading
    except ValueError as error:
        names = {str(part.source.path): None for part in (encoder, predictor)}
        raise CheckpointError(f"{' with '.join(names)}: {error}") from error
    header = model_header(encoder, predictor, told)
    kept = {key: weight for key, weight in built.predictor.state_dict().items() if key in predictor.part.state}
    save_world_model(output, config, built.encoder.state_dict(), kept, dtype, header)
    if header["predictor_trained_with"].startswith("another"):
        print(
            f"warning: the predictor was trained with {header['predictor_trained_with']}. It may predict worse with "
            f"{encoder.source.path.name}: convert it with its own encoder, or post-train it",
            file=sys.stderr,
        )
    parameters = sum(weight.numel() for state in states for weight in state.values())
    return f"a world model of {parameters / 1e6:.1f} M parameters"
