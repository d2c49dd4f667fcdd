"""Parameters as ``name=value`` on a command line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from vjepa_mpc.controller.assembly import ModelSettings
from vjepa_mpc.options import Parameter, Plain, parameters
from vjepa_mpc.planning import AgreementBounds, CEMConfig, planner_parameters


def read_assignments(texts: Sequence[str]) -> dict[str, Plain]:
    """Parameters of the planner and of the world model in plain form from texts such as "samples=800".

    Raises:
        ValueError: a text is no assignment, names no such parameter, or has a value that it cannot have.
    """
    given = dict(_split(text) for text in texts)
    known = _known(given)
    return {name: _read(_named(name, known), text) for name, text in given.items()}


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"--set {text!r}: give name=value, such as samples=800")
    return name.strip(), value.strip()


def _known(given: Mapping[str, str]) -> dict[str, Parameter]:
    found = (
        *planner_parameters(CEMConfig(), given),
        *parameters(ModelSettings),
        *parameters(AgreementBounds, "agreement."),
    )
    return {each.name: each for each in found}


def _named(name: str, known: Mapping[str, Parameter]) -> Parameter:
    if name not in known:
        near = difflib.get_close_matches(name, known, 3)
        hint = f"is {' or '.join(near)} meant?" if near else "docs/parameters.md lists what there is"
        raise ValueError(f"--set {name}: the planner and the world model have no such parameter; {hint}")
    return known[name]


def _read(parameter: Parameter, text: str) -> Plain:
    try:
        value = _converted(parameter.default, text)
    except ValueError:
        kind = "true or false" if isinstance(parameter.default, bool) else type(parameter.default).__name__
        raise ValueError(f"--set {parameter.name}={text}: give {kind}") from None
    parameter.check(value)
    return value


def _converted(like: Plain | None, text: str) -> Plain:
    if isinstance(like, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if isinstance(like, int | float):
        return type(like)(text)
    if isinstance(like, str):
        return text
    return tuple(float(number) for number in text.strip("[]").split(","))
