"""Command-line options that choose the world model and how it plans, and what they stand for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vjepa_mpc import options
from vjepa_mpc.arguments import local_path
from vjepa_mpc.controller import assembly
from vjepa_mpc.controller.assembly import ModelSettings
from vjepa_mpc.options import Parameter
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.worldmodel import WorldModel, bundled_model_path

# The options of the world model that commands have. Figures are compared on a CPU unless another device is asked for.
_MODEL_DEFAULTS = {"device": "cpu", "dtype": "auto", "threads": 0}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which world model plans, and how."""
    parser.add_argument(
        "--model",
        type=local_path,
        default=None,
        help="checkpoint, or package.module:function that returns a world model (default: the bundled model)",
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu", help="planner settings (default: cpu)")
    for parameter in options.parameters(ModelSettings):
        if parameter.name in _MODEL_DEFAULTS:
            add_option(parser, parameter, _MODEL_DEFAULTS[parameter.name])


def load_model(args: argparse.Namespace) -> tuple[Path, WorldModel]:
    """The checkpoint of `add_model_arguments` and the world model in it, in a process prepared for planning.

    Raises:
        ValueError: an unusable value.
    """
    path = args.model or bundled_model_path()
    chosen = {name: getattr(args, name) for name in _MODEL_DEFAULTS}
    return path, assembly.load_model(ModelSettings(checkpoint=str(path), **chosen))


def add_option(parser: argparse._ActionsContainer, parameter: Parameter, default: Any, prefix: str = "") -> None:
    """An option of the command line that is made from a parameter; it is kept under the parameter's name.

    Args:
        parser: gets it.
        parameter: a number or a text.
        default: instead of the parameter's.
        prefix: of the parameter's name, left out on the command line.
    """
    name = parameter.name.removeprefix(prefix)
    allowed = f" One of {parameter.range}." if parameter.option.allowed else ""
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        dest=parameter.name,
        metavar=name.upper(),
        type=type(parameter.default),
        default=default,
        help=f"{parameter.description}{allowed} (default: {default})".replace("%", "%%"),
    )
