"""Whose parameters count: package defaults, profile, the user's file, calibration, arguments; the last one wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vjepa_mpc.ros.parameters.yaml_text import matches, read_parameter_file


@dataclass(frozen=True)
class Layer:
    """What one file, or the arguments, say to a node.

    Attributes:
        source: whose word it is, for messages.
        values: by parameter.
    """

    source: str
    values: dict[str, Any]


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
    file = read_parameter_file(str(path))
    if not any(matches(key, node) for key in file.nodes):
        keys = ", ".join(file.nodes) or "nothing"
        raise ValueError(f"{path} has nothing for {node}: it is keyed {keys}; use /** or {node}")
    values = {entry.name: entry.value for entry in file.entries if matches(entry.node, node)}
    return Layer(source or str(path), values)


def told(layers: Sequence[Layer], node: str) -> list[str]:
    """What is printed once: the order, and for each value that replaces another's which one counts.

    Args:
        layers: the first one is the package's defaults, which everybody may replace without a word.
        node: the node's full name.
    """
    lines = [f"{node}: parameters of {', then '.join(layer.source for layer in layers)}; the last one counts"]
    for name in sorted({name for layer in layers[1:] for name in layer.values}):
        *others, winner = (layer for layer in layers[1:] if name in layer.values)
        value = winner.values[name]
        replaced = [f"{layer.values[name]} of {layer.source}" for layer in others if layer.values[name] != value]
        if replaced:
            lines.append(f"{node}: {name} is {value} ({winner.source}), not {' or '.join(replaced)}")
    return lines
