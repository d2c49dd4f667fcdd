"""The parameters on a node's command line, checked before ROS sees them.

ROS parses parameter files itself, gives up with a trace where a whole number stands among real ones, and says nothing
about names that no node has. So files and ``-p`` arguments are read here first. What is right goes on to ROS in one
file, with every value as the type that its parameter is declared with; what is wrong ends the process with one line.

Later arguments win over earlier ones, whatever node name they stand under.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from vjepa_mpc.options import Parameter
from vjepa_mpc.ros.parameters.conversion import as_argument, converted, in_file
from vjepa_mpc.ros.parameters.live import ParameterError
from vjepa_mpc.ros.parameters.yaml_text import PARAMETERS, FileError, matches, parse, read_parameter_file

FORMER_UNTIL = "0.3.0"
"""The release that no longer reads the former names of this one."""

logger = logging.getLogger(__name__)

_ARGUMENT = re.compile(r"(?:(?P<node>[\w/*]+):)?(?P<name>[^:=\s]+):=(?P<value>.*)", re.DOTALL)
_RENAMED = re.compile(r"(?:(?P<node>\w+):)?__(?P<what>node|name|ns):=(?P<value>\S+)")
# Parameters that rclpy gives every node.
_RCLPY = re.compile(r"use_sim_time|start_type_description_service|qos_overrides\..*")


@dataclass(frozen=True)
class NodeParameters:
    """What the command line of a node is checked against.

    Attributes:
        node: its name, unless the command line gives another one.
        known: its parameters, given the values on the command line: these may choose parts with options of their own.
        about: what it does, for ``--help``.
    """

    node: str
    known: Callable[[Mapping[str, Any]], Iterable[Parameter]]
    about: str = ""


@dataclass(frozen=True)
class _Given:
    """A value for a parameter: where it was given, as YAML has it, and how values are written there."""

    place: str
    name: str
    value: Any
    write: Callable[[str, str], str] = in_file


@contextmanager
def checked(arguments: Sequence[str], node: NodeParameters) -> Iterator[list[str]]:
    """The arguments for ``rclpy.init``, with checked parameters in a file that exists as long as this context.

    Raises:
        ParameterError: a parameter cannot be used; the message names place, parameter, value and the remedy.
    """
    options, rest = _split(arguments)
    given = list(_given_for(_full_name(node.node, options), options))
    values = _resolved(given, _known(node, given))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix=f"{node.node}_", encoding="utf-8") as file:
        # JSON is YAML that leaves no doubt about types.
        json.dump({"/**": {PARAMETERS: values}}, file)
        file.flush()
        yield [*rest, "--ros-args", "--params-file", file.name] if values else rest


# -- what is given ----------------------------------------------------------------------------------------------------


def _split(arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """ROS's options that concern parameters or names, with their values; and all arguments but those for parameters.

    Raises:
        ParameterError: an option without its value.
    """
    options, rest, ros = [], [], False
    remaining = iter(arguments)
    for argument in remaining:
        ros = argument == "--ros-args" or (ros and argument != "--")
        if not ros or argument not in _OPTIONS:
            rest.append(argument)
            continue
        value = next(remaining, None)
        if value is None:
            raise ParameterError(
                f"{argument} stands at the end of the command line: give {_OPTIONS[argument]} after it"
            )
        options.append((argument, value))
        if argument in _REMAPPING:
            rest += [argument, value]
    return options, rest


def without_parameters(arguments: Sequence[str]) -> list[str]:
    """The arguments but for those that give parameters.

    Raises:
        ParameterError: an option without its value.
    """
    return _split(arguments)[1]


_REMAPPING = ("-r", "--remap")
_OPTIONS = {
    "-p": "NAME:=VALUE",
    "--param": "NAME:=VALUE",
    "--params-file": "a file",
    "-r": "FROM:=TO",
    "--remap": "FROM:=TO",
}


def _full_name(default: str, options: Iterable[tuple[str, str]]) -> str:
    """The node's name with its namespace; as in ROS, the first renaming counts."""
    name, namespace = "", ""
    for option, value in options:
        match = _RENAMED.fullmatch(value) if option in _REMAPPING else None
        if match is None or match["node"] not in (None, default):
            continue
        if match["what"] == "ns":
            namespace = namespace or match["value"]
        else:
            name = name or match["value"]
    return f"/{namespace.strip('/')}/{name or default}".replace("//", "/")


def _given_for(node: str, options: Iterable[tuple[str, str]]) -> Iterator[_Given]:
    """What files and arguments give for a node, in their order."""
    for option, value in options:
        if option == "--params-file":
            yield from _from_file(node, value)
        elif option not in _REMAPPING:
            yield from _from_argument(node, option, value)


def _from_file(node: str, path: str) -> list[_Given]:
    try:
        file = read_parameter_file(path)
    except FileError as error:
        raise ParameterError(str(error)) from error
    if not any(matches(name, node) for name in file.nodes):
        found = ", ".join(file.nodes) or "none"
        raise ParameterError(
            f"{path}: nothing in it is for this node, {node}; it holds parameters for: {found}. "
            f"Write {node}: or /**:, and below it {PARAMETERS}:"
        )
    return [_Given(each.place, each.name, each.value) for each in file.entries if matches(each.node, node)]


def _from_argument(node: str, option: str, text: str) -> list[_Given]:
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        raise ParameterError(f"{option} {text}: write NAME:=VALUE, such as {option} samples:=64")
    # On the command line a node's name means that node in any namespace.
    if match["node"] is not None and not matches(match["node"], node) and match["node"] != node.rsplit("/", 1)[-1]:
        return []
    value = parse(match["value"])
    return [_Given(f"{option} {text}", match["name"], "" if value is None else value, as_argument)]


def _known(node: NodeParameters, given: Iterable[_Given]) -> tuple[Parameter, ...]:
    try:
        return tuple(node.known({each.name: each.value for each in given}))
    except ValueError as error:  # a part that cannot be had
        raise ParameterError(str(error)) from error


# -- what it comes to -------------------------------------------------------------------------------------------------


def _resolved(given: Iterable[_Given], known: Iterable[Parameter]) -> dict[str, Any]:
    """The value of each parameter that is given one.

    Raises:
        ParameterError: a name or a value cannot be used.
    """
    parameters = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    for each in _renamed(given, parameters):
        if _RCLPY.fullmatch(each.name):
            values[each.name] = each.value
            continue
        parameter = parameters.get(each.name)
        if parameter is None:
            raise ParameterError(_unknown(each, parameters))
        try:
            values[each.name] = converted(parameter, each.value, each.write)
            parameter.check(values[each.name])
        except ValueError as error:
            raise ParameterError(f"{each.place}: {error}") from error
    return values


def _renamed(given: Iterable[_Given], parameters: Mapping[str, Parameter]) -> Iterator[_Given]:
    """The same with former names replaced by today's, of which a line tells.

    Raises:
        ParameterError: both names are given. A file that states every default, as planner.yaml does, is no reason to
            refuse the former name in a later one.
    """
    today = {former: parameter for parameter in parameters.values() for former in parameter.option.former}
    by_today: dict[str, _Given] = {}
    by_former: dict[str, _Given] = {}
    for each in given:
        parameter = today.get(each.name)
        name = each.name if parameter is None else parameter.name
        if parameter is None:
            by_today[name] = each
        else:
            if name not in by_former:
                logger.warning(
                    "`%s` is now called `%s`; the old name is read until release %s", each.name, name, FORMER_UNTIL
                )
            by_former[name] = each
            if name in by_today and by_today[name].value == parameter.default:
                del by_today[name]
        if name in by_today and name in by_former:
            both = f"{by_former[name].place} and {by_today[name].place}"
            raise ParameterError(f"{both}: {by_former[name].name} is the former name of {name}: give only {name}")
        yield replace(each, name=name)


def _unknown(given: _Given, parameters: Mapping[str, Parameter]) -> str:
    near = nearest(given.name, (*parameters, "use_sim_time"))
    hint = f"did you mean {near}?" if near else "docs/parameters.md lists all"
    return f"{given.place}: {given.name}: there is no such parameter; {hint}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one most likely means; None when none is like it."""
    names = list(known)
    without_prefix = [each for each in names if each.rsplit(".", 1)[-1] == name]
    return next(iter(without_prefix or difflib.get_close_matches(name, names, n=1)), None)
