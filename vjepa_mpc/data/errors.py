"""What goes wrong with recordings, in words, and the packages that only recordings need."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from vjepa_mpc.extras import install_hint


class DataError(ValueError):
    """A recording that cannot be used; the message says what is there and what to do."""


class DataWarning(UserWarning):
    """A recording of which something could not be used."""


def needs(module: str) -> Any:
    """The module of a package that belongs to the extra ``data``.

    Raises:
        DataError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DataError(f"these recordings need the package {error.name}: {install_hint('data')}") from error


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names for a message: "a, b, c", cut after ``most`` of them; "nothing" for none."""
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest if texts else "nothing"


@contextmanager
def warnings_as_lines(command: str) -> Iterator[None]:
    """Warnings as lines on stderr that begin with a command's name, without the place in the code."""

    def show(message: Any, *_: Any, **__: Any) -> None:
        print(f"{command}: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield
