"""YAML as ROS reads it: values of parameters, and parameter files with the line of each value. ROS-free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from vjepa_mpc.files import expanded

PARAMETERS = "ros__parameters"


class _Loader(yaml.SafeLoader):
    """Takes 1e-3 for a number, as ROS does, and neither 12:30 nor 2026-01-31 nor 1_000."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # as PyYAML declares it


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "tTfFyYnNoO"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))

# launch writes the arrays among its parameters as Python's tuples, with a tag.
_Loader.yaml_constructors = {
    **yaml.SafeLoader.yaml_constructors,
    "tag:yaml.org,2002:python/tuple": yaml.SafeLoader.construct_yaml_seq,
}


class FileError(ValueError):
    """A parameter file cannot be read; the message says where and why, in one line."""


@dataclass(frozen=True)
class Entry:
    """One value of a parameter file.

    Attributes:
        node: the name that it stands under, such as "/**" or "/lab/planner_node".
        name: of the parameter, with dots.
        value: as YAML has it.
        place: file and line, for messages.
    """

    node: str
    name: str
    value: Any
    place: str


@dataclass(frozen=True)
class ParameterFile:
    """What a parameter file holds: the names of nodes in their order, and the values under them."""

    nodes: tuple[str, ...]
    entries: tuple[Entry, ...]


def matches(pattern: str, node: str) -> bool:
    """Whether a node's name, which may have wildcards, means a node: * is one part of a name, ** any number of them."""
    expression = re.escape(f"/{pattern.strip('/')}").replace(r"/\*\*", r"(/\w+)*").replace(r"/\*", r"/\w+")
    return re.fullmatch(expression, node) is not None


def parse(text: str) -> Any:
    """The value that a text means in YAML; the text itself where it is none."""
    try:
        return yaml.load(text, _Loader)  # derives from SafeLoader
    except (yaml.YAMLError, ValueError):
        return text


def read_parameter_file(path: str) -> ParameterFile:
    """Read a parameter file.

    Raises:
        FileError: it cannot be read, is no YAML, or its indentation is not that of a parameter file.
    """
    try:
        loader = _Loader(_text(path))
        root = loader.get_single_node()
        if root is None:
            return ParameterFile((), ())
        nodes = list(_nodes(root, "", path))
        entries = [Entry(name, *found) for name, values in nodes for found in _values(values, "", path, loader)]
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{_place_of(error, path)}: this is not YAML: {_problem(error)}") from error
    return ParameterFile(tuple(dict.fromkeys(name for name, _ in nodes)), tuple(entries))


def _text(path: str) -> str:
    try:
        file = expanded(path)
    except ValueError as error:
        raise FileError(str(error)) from error
    return file.read_text(encoding="utf-8")


def _nodes(node: Node, name: str, path: str) -> Iterator[tuple[str, Node]]:
    """Each ros__parameters block with the name of the node that it is for."""
    for key, value in _items(node, path, f"a node's name with {PARAMETERS} below it"):
        if key.value == PARAMETERS:
            if not name:
                raise FileError(
                    f"{_place(key, path)}: {PARAMETERS} stands under no node's name: write /**: above it, and indent it"
                )
            yield name, value
        elif isinstance(value, MappingNode):
            yield from _nodes(value, f"{name}/{key.value.strip('/')}", path)
        elif PARAMETERS in (each.value for each, _ in _pairs(node)):
            raise FileError(
                f"{_place(key, path)}: {key.value} stands beside {PARAMETERS}: indent it further than {PARAMETERS}"
            )
        else:
            raise FileError(
                f"{_place(key, path)}: {key.value} is not below {PARAMETERS}: write a node's name or /**:, below it "
                f"{PARAMETERS}:, and below that {key.value}, each indented further"
            )


def _values(node: Node, prefix: str, path: str, loader: _Loader) -> Iterator[tuple[str, Any, str]]:
    """Name, value and place of each parameter; names of nested groups are joined by dots."""
    if isinstance(node, ScalarNode) and loader.construct_object(node) is None:
        return  # everything below is commented out
    for key, value in _items(node, path, "a parameter's name and value, such as samples: 64"):
        name = f"{prefix}{key.value}"
        if isinstance(value, MappingNode):
            yield from _values(value, f"{name}.", path, loader)
        else:
            yield name, loader.construct_object(value, deep=True), _place(key, path)


def _items(node: Node, path: str, wanted: str) -> list[tuple[ScalarNode, Node]]:
    """The pairs of a mapping, whose keys have to be names and may not come twice."""
    if not isinstance(node, MappingNode):
        text = node.value if isinstance(node, ScalarNode) else "a list"
        raise FileError(f"{_place(node, path)}: {text} stands where {wanted} is wanted: check colons and indentation")
    seen: dict[str, Node] = {}
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise FileError(f"{_place(key, path)}: {wanted} is wanted here: check colons and indentation")
        if key.value in seen:
            raise FileError(f"{_place(key, path)}: {key.value} was given before: leave one of the two out")
        seen[key.value] = key
    return _pairs(node)


def _pairs(node: Node) -> list[tuple[ScalarNode, Node]]:
    return node.value if isinstance(node, MappingNode) else []


def _place(node: Node, path: str) -> str:
    return f"{path}:{node.start_mark.line + 1}"


def _place_of(error: Exception, path: str) -> str:
    mark = getattr(error, "problem_mark", None)
    return path if mark is None else f"{path}:{mark.line + 1}"


def _problem(error: Exception) -> str:
    said = getattr(error, "problem", None) or str(error)
    return f"{' '.join(said.split())}: check colons, brackets and indentation (spaces, no tabs)"
