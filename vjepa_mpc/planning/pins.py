"""Coordinates of the search that are pinned to a value, and how they are written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# Columns of the distribution that is searched; rotations are not (the published planner does not rotate).
X, Y, Z, GRIPPER = range(4)

_NAMES = {"x": X, "y": Y, "z": Z, "gripper": GRIPPER}
_PIN = re.compile(r"(x|y|z|gripper)\s*=\s*([-+0-9.eE]+)")


class FrozenDict(dict[Any, Any]):
    """A dict that nobody changes once it is made, and which therefore has a hash; its values must have one."""

    def __hash__(self) -> int:  # type: ignore[override]  # that of dict is None
        return hash(frozenset(self.items()))


def checked_pins(pins: Mapping[Any, float]) -> FrozenDict:
    """Coordinates with the values that they are pinned to; JSON and YAML have no integer keys, so "1" is taken for 1.

    Raises:
        ValueError: there is no such coordinate, or the value is not finite.
    """
    checked = FrozenDict((int(index), float(value)) for index, value in pins.items())
    for index, value in checked.items():
        if index not in _NAMES.values() or not math.isfinite(value):
            raise ValueError(f"axis={{{index}: {value}}}: pin 0 (x), 1 (y), 2 (z) or 3 (gripper) to a finite value")
    return checked


def pins_to_text(pins: Mapping[int, float]) -> str:
    """Such as "z=0.0, gripper=-1.0"; "" for none."""
    names = {index: name for name, index in _NAMES.items()}
    return ", ".join(f"{names[index]}={value!r}" for index, value in pins.items())


def pins_from_text(text: str) -> dict[int, float]:
    """The way back.

    Raises:
        ValueError: a piece of the text is not of this form.
    """
    pins = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PIN.fullmatch(piece)
        if match is None:
            raise ValueError(f"'{piece}' is not like z=0.0; names are {', '.join(_NAMES)}")
        try:
            pins[_NAMES[match[1]]] = float(match[2])
        except ValueError:
            raise ValueError(f"{match[2]} is not a number") from None
    return pins
