"""Whose parameters count: package defaults, robot profile, the user's file, calibration, arguments; the last one wins.

ROS itself lets a section that is keyed with the node's name win over ``/**``, whatever comes later. So values that such
sections contest are handed to the node once more, after all files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vjepa_mpc.ros.launching.files import read_sections

ARGUMENTS = "arguments"


@dataclass(frozen=True)
class Stated:
    """A value, who states it, and the key of the section that it stands in."""

    value: Any
    source: str
    key: str


@dataclass(frozen=True)
class Layer:
    """What one file, or the arguments, say to a node, by parameter."""

    source: str
    stated: dict[str, Stated]


def full_name(namespace: str, name: str) -> str:
    """A node's name with its namespace: /left/planner_node."""
    return "/" + "/".join(part for part in (*namespace.split("/"), name) if part)


def from_file(path: Path, node: str, source: str = "") -> Layer:
    """What a parameter file says to a node.

    Args:
        path: the file.
        node: the node's full name.
        source: what the file is called in messages; "": by its path.

    Raises:
        ValueError: the file cannot be read, or has nothing for this node.
    """
    sections = read_sections(path)
    matching = [key for key in sections if matches(key, node)]
    if not matching:
        raise ValueError(f"{path} has nothing for {node}: it is keyed {', '.join(sections)}; use /** or {node}")
    # The exact name comes last: it counts.
    stated = {
        name: Stated(value, source or str(path), key)
        for key in sorted(matching, key=lambda key: key == node)
        for name, value in sections[key].items()
    }
    return Layer(source or str(path), stated)


def from_arguments(values: dict[str, Any]) -> Layer:
    """What launch arguments say, by parameter."""
    return Layer(ARGUMENTS, {name: Stated(value, ARGUMENTS, ARGUMENTS) for name, value in values.items()})


def matches(key: str, node: str) -> bool:
    """Whether a section's key, with ``*`` for one part of a name and ``**`` for any number, means a node."""
    parts = {"**": "(/[^/]+)*", "*": "/[^/]+"}
    pattern = "".join(parts.get(part, "/" + re.escape(part)) for part in key.split("/") if part)
    return re.fullmatch(pattern, node) is not None


def restated(layers: Sequence[Layer]) -> dict[str, Any]:
    """The values that a node must be given besides the files: the arguments', and those contested by unlike keys."""
    return {
        name: said[-1].value
        for name, said in _by_parameter(layers).items()
        if said[-1].key == ARGUMENTS or len({one.key for one in said}) > 1
    }


def told(layers: Sequence[Layer], node: str) -> list[str]:
    """What is printed once: the order, and for each value that replaces another's which one counts.

    Args:
        layers: the first one is the package's defaults, which everybody may replace without a word.
        node: the node's full name.
    """
    lines = [f"{node}: parameters of {', then '.join(layer.source for layer in layers)}; the last one counts"]
    for name, said in sorted(_by_parameter(layers[1:]).items()):
        winner = said[-1]
        others = [f"{one.value} of {one.source}" for one in said[:-1] if one.value != winner.value]
        if others:
            lines.append(f"{node}: {name} is {winner.value} ({winner.source}), not {' or '.join(others)}")
    return lines


def _by_parameter(layers: Sequence[Layer]) -> dict[str, list[Stated]]:
    result: dict[str, list[Stated]] = {}
    for layer in layers:
        for name, one in layer.stated.items():
            result.setdefault(name, []).append(one)
    return result
