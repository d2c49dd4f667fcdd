"""``vjepa-mpc convert IN OUT``: strip a checkpoint to what planning needs and choose its precision."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vjepa_mpc.worldmodel.checkpoint import CheckpointError, read_checkpoint, save_world_model

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-command's arguments."""
    parser.add_argument("input", type=Path, help="published .pt checkpoint, or .safetensors")
    parser.add_argument("output", type=Path, help="file to write; must end in .safetensors")
    parser.add_argument("--dtype", choices=list(_DTYPES), default="bfloat16", help="precision of the weights")


def main(args: argparse.Namespace) -> int:
    """Convert and print what was written; returns the exit status."""
    if args.output.suffix != ".safetensors":
        print(f"convert: {args.output} must end in .safetensors: that is what load_world_model reads")
        return 2
    try:
        config, encoder, predictor = read_checkpoint(args.input)
    except CheckpointError as error:
        print(f"convert: {error}")
        return 2
    save_world_model(args.output, config, encoder, predictor, _DTYPES[args.dtype])
    parameters = sum(weight.numel() for state in (encoder, predictor) for weight in state.values())
    megabytes = args.output.stat().st_size / 1e6
    print(f"{args.output}: {parameters / 1e6:.1f} M parameters in {args.dtype}, {megabytes:.1f} MB")
    return 0
