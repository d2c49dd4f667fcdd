"""The planner's settings in plain form: what ROS parameters, YAML files and other processes can carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vjepa_mpc.options import Parameter, Plain, build, parameters
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.objectives import OBJECTIVES
from vjepa_mpc.planning.optimisers import OPTIMISERS
from vjepa_mpc.planning.samplers import SAMPLERS
from vjepa_mpc.planning.updates import UPDATES
from vjepa_mpc.registry import Registry, prefix_of

# The options that choose a part, and where from.
_CHOICES: dict[str, Registry[Any]] = {
    "optimiser": OPTIMISERS,
    "objective": OBJECTIVES,
    "sampling": SAMPLERS,
    "update": UPDATES,
}


def option_kinds(outside: Mapping[str, Any] | None = None) -> dict[str, type]:
    """The ``Options`` of every part that has some, by the part's name.

    Args:
        outside: settings, of which parts from outside the package are looked up as well: plain values by name, such as
            ``{"objective": "my_package.objectives:Smooth"}``.

    Raises:
        PartError: a part from outside cannot be used.
    """
    found = {}
    for choice, registry in _CHOICES.items():
        chosen = (outside or {}).get(choice, "")
        for name in (*registry.names, *([chosen] if ":" in chosen else [])):
            kind = getattr(registry.part(name), "Options", None)
            if kind is not None:
                found[name] = kind
    return found


def planner_parameters(preset: CEMConfig, outside: Mapping[str, Any] | None = None) -> tuple[Parameter, ...]:
    """The planner's options and those of its parts, with a preset's values as defaults.

    Args:
        preset: gives the defaults.
        outside: see :func:`option_kinds`.
    """
    of_parts = (
        entry
        for name, kind in option_kinds(outside).items()
        for entry in parameters(kind, prefix_of(name), preset.options.get(name))
    )
    return (*parameters(CEMConfig, defaults=preset), *of_parts)


def planner_config(values: Mapping[str, Any]) -> CEMConfig:
    """The settings from the plain values of :func:`planner_parameters`; those that are missing have their defaults.

    Raises:
        ValueError: a value cannot be used, or values do not fit together; the message names them.
        PartError: a part that was chosen cannot be used.
    """
    options = {name: build(kind, values, prefix_of(name)) for name, kind in option_kinds(values).items()}
    return build(CEMConfig, values, options=options)


def plain_settings(config: CEMConfig) -> dict[str, Plain]:
    """The way back: every value in plain form, from which :func:`planner_config` makes equal settings."""
    outside = {choice: getattr(config, choice) for choice in _CHOICES}
    found = planner_parameters(config, outside)
    return {entry.name: entry.default for entry in found if entry.default is not None}


def check_parts(config: CEMConfig, of: Iterable[str] = tuple(_CHOICES)) -> None:
    """Refuse choices that name no part, so that a node says so when it is configured and not in its first plan.

    Raises:
        PartError: a part cannot be used; the message says why.
    """
    for choice in of:
        _CHOICES[choice].part(getattr(config, choice))
