"""Values as YAML and ROS messages carry them, and the types that parameters want. ROS-free."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vjepa_mpc.options import Parameter, Plain

_LIST = "a list of numbers"
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def in_file(name: str, value: str) -> str:
    """How a value is written in a parameter file."""
    return f"{name}: {value}"


def as_argument(name: str, value: str) -> str:
    """How a value is written on the command line, with what the shell would take away."""
    return f"-p {shlex.quote(f'{name}:={value}')}"


def converted(parameter: Parameter, value: Any, write: Callable[[str, str], str] = in_file) -> Plain:
    """A value as the parameter's type; whole numbers pass for real ones, and any numbers for those of a list.

    Args:
        parameter: says which type.
        value: as YAML or a message has it.
        write: how name and value are written where this value was given, for the error.

    Raises:
        ValueError: another type; the message says which one is wanted and how to write it.
    """
    name, default = parameter.name, parameter.default
    if default is None or isinstance(default, tuple):
        if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
            return tuple(float(number) for number in value)
        wanted = _LIST
    else:
        if isinstance(default, float) and _is_number(value):
            return float(value)
        if type(value) is type(default):
            return value
        wanted = _KINDS[type(default)]
    raise ValueError(
        f"{name}: {spelled(value)} is {_kind(value)} where {wanted} is wanted: "
        f"write {_remedy(name, value, default, write)}"
    )


def spelled(value: Any) -> str:
    """A value as YAML has it."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(spelled, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | int | float | str | None) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return "a real number"
    if isinstance(value, list | tuple):
        return _LIST if value and all(map(_is_number, value)) else "a list that does not hold numbers alone"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _remedy(name: str, value: Any, default: Plain | None, write: Callable[[str, str], str]) -> str:
    """How to write what was most likely meant; else the default, or a list, as an example."""
    meant = _meant(value, default)
    if meant is not None:
        return write(name, meant)
    return f"{write(name, spelled([0.1, 0.2, 0.3] if default is None else default))}, for example"


def _meant(value: Any, default: Plain | None) -> str | None:
    """The value as the default's type, in YAML; None where that is in doubt."""
    with suppress(ValueError, KeyError, OverflowError, TypeError):
        if isinstance(default, str) and isinstance(value, bool | int | float):
            return json.dumps(spelled(value))
        if isinstance(default, bool):
            return spelled(_TRUTHS[str(value).strip().lower()])
        if isinstance(default, float):
            return spelled(float(value))
        if isinstance(default, int) and float(value) == int(float(value)):
            return spelled(int(float(value)))
    return None
