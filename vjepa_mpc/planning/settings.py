"""The planner's settings in plain form: what ROS parameters, YAML files and other processes can carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vjepa_mpc.options import Parameter, Plain, build, parameters
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.objectives import OBJECTIVES
from vjepa_mpc.planning.objectives.sum import terms_from_text
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


def option_kinds(values: Mapping[str, Any]) -> dict[str, type]:
    """The ``Options`` of every part that has some, by the part's name; see :meth:`Registry.options`.

    Args:
        values: plain values by name, which may choose parts from outside the package, such as
            ``{"objective": "my_package.objectives:Smooth"}``.

    Raises:
        PartError: a part that is chosen cannot be used.
        ValueError: ``sum.terms`` cannot be read.
    """
    return {
        name: kind for choice, registry in _CHOICES.items() for name, kind in registry.options(_chosen(choice, values))
    }


def _chosen(choice: str, values: Mapping[str, Any]) -> list[str]:
    """Names of parts that the values of one option choose; of names that mean none, :class:`CEMConfig` says more."""
    name = values.get(choice, "")
    names = [name] if _CHOICES[choice].offers(name) else []
    if choice == "objective" and "sum.terms" in values:
        try:
            names += [name for name, _ in terms_from_text(values["sum.terms"])]
        except ValueError as error:
            raise ValueError(f"sum.terms={values['sum.terms']!r}: {error}") from None
    return names


def planner_parameters(preset: CEMConfig, values: Mapping[str, Any] | None = None) -> tuple[Parameter, ...]:
    """The planner's options and those of its parts, with a preset's values as defaults.

    Args:
        preset: gives the defaults.
        values: see :func:`option_kinds`.
    """
    of_parts = (
        entry
        for name, kind in option_kinds(values or {}).items()
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
    chosen = {choice: getattr(config, choice) for choice in _CHOICES}
    known = {entry.name: entry.default for entry in planner_parameters(config, chosen)}
    found = planner_parameters(config, {**chosen, "sum.terms": known["sum.terms"]})
    return {entry.name: entry.default for entry in found if entry.default is not None}
