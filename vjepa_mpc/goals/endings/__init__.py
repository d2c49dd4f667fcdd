"""What may end a sub-goal: one ending a file, each with its own options (see :mod:`.interface`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vjepa_mpc import options
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.options import Parameter
from vjepa_mpc.registry import Registry

PREFIX = "goal."
"""Of the parameters' names."""

ENDINGS: Registry[Ending] = Registry(__name__, Ending, "ending")
"""Every ending of this folder takes part, if its options say so."""


def parameters() -> tuple[Parameter, ...]:
    """The options of all endings as parameters."""
    return tuple(entry for kind in _kinds() for entry in options.parameters(kind, PREFIX))


def build(values: Mapping[str, Any]) -> tuple[Ending, ...]:
    """The endings that the plain values of the parameters ask for.

    Raises:
        ValueError: a value is out of range; the message names it.
    """
    made = (options.build(kind, values, PREFIX) for kind in _kinds())
    return tuple(ending for ending in made if ending.on)


def replaced(endings: Sequence[Ending], new: Ending) -> tuple[Ending, ...]:
    """The endings with a new one instead of those of its kind."""
    return (*(ending for ending in endings if type(ending) is not type(new)), new)


def _kinds() -> list[type[Ending]]:
    return [ENDINGS.part(name) for name in ENDINGS.names]
