"""Options of the command line are made from where the parameters are declared."""

from __future__ import annotations

import argparse

import pytest

from vjepa_mpc import options
from vjepa_mpc.controller.assembly import ModelSettings
from vjepa_mpc.controller.model_arguments import add_model_arguments, add_option, load_model
from vjepa_mpc.evaluation.arguments import add_ending_arguments, early_endings
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.endings.plateau import Plateau


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    add_ending_arguments(parser)
    return parser.parse_args(arguments)


def test_texts_and_types_are_the_parameters() -> None:
    parser = argparse.ArgumentParser()
    threads = next(each for each in options.parameters(ModelSettings) if each.name == "threads")
    add_option(parser, threads, 3)
    assert threads.option.text in " ".join(parser.format_help().split())
    assert parser.parse_args([]).threads == 3
    assert parser.parse_args(["--threads", "2"]).threads == 2


def test_endings_are_made_from_their_options() -> None:
    made = early_endings(parsed("--energy-threshold", "0.5", "--plateau-window", "4", "--plateau-slope", "0.1"))
    assert set(made) == {Energy(energy_threshold=0.5), Plateau(plateau_window=4, plateau_slope=0.1)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--threads", "-1"), "threads=-1: use a finite number from 0 to 1024"),
        (("--dtype", "float8"), "dtype='float8': use one of auto, float32"),
        (("--device", "gpu"), "device='gpu' is none that PyTorch knows"),
    ],
)
def test_values_are_checked_as_the_nodes_check_them(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_model(parsed(*arguments))
