"""Command lines: what is wrong with one is told in one line, and numbers and paths are checked as they are read.

``parser.add_argument("--seed", type=whole(0, SEED))``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from vjepa_mpc.files import expanded

SEED = 2**32 - 1
"""The highest seed."""
COUNT = 1_000_000
"""The highest number of episodes, steps or repeats; more is a mistake."""


class Parser(argparse.ArgumentParser):
    """Ends the process with exit status 2 and one line, where argparse would print its usage, too."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; --help lists what there is\n")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number from ``low`` to ``high``; anything else is an ArgumentTypeError that names the range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: give a whole number from {low} to {high}")
        return value

    return read


def real(low: float, high: float) -> Callable[[str], float]:
    """Reads a number from ``low`` to ``high``; anything else, NaN too, is an ArgumentTypeError that names the range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # neither is NaN
            raise argparse.ArgumentTypeError(f"{text}: give a number from {low:g} to {high:g}")
        return value

    return read


def local_path(text: str) -> Path:
    """Reads a path with ``~`` as the home folder, which a shell leaves alone in ``--out=~/x``."""
    try:
        return expanded(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
