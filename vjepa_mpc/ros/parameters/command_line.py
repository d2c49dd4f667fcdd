"""What a node's command line may hold besides parameters: ROS's own options, and ``--help``. Anything else is refused.

ROS itself passes over words that it does not know, so that a misspelt option would start a node with its defaults.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence

from rclpy.utilities import remove_ros_args

from vjepa_mpc.options import Parameter
from vjepa_mpc.ros.parameters.arguments import NodeParameters, without_parameters
from vjepa_mpc.ros.parameters.conversion import spelled
from vjepa_mpc.ros.parameters.live import ParameterError

HELP = ("-h", "--help")
_WITH_VALUE = (
    *("-p", "--param", "--params-file", "-r", "--remap", "-e", "--enclave"),
    *("--log-level", "--log-config-file", "--log-file-name"),
)
_LOGS = ("rosout-logs", "stdout-logs", "external-lib-logs")
_ALONE = tuple(f"--{what}-{logs}" for what in ("enable", "disable") for logs in _LOGS)
_USAGE = """\
usage: {node} [-h] [--ros-args [-p NAME:=VALUE] [--params-file FILE] [-r FROM:=TO] [--log-level LEVEL] ...]

{about}

ROS's options (docs.ros.org has all):
  -p NAME:=VALUE        set a parameter
  --params-file FILE    set the parameters that a YAML file gives
  -r FROM:=TO           give a topic or service another name, or the node itself: -r __node:=NAME, -r __ns:=/NAMESPACE
  --log-level LEVEL     debug, info, warn or error

Exit status: 0 a signal ended it in order; 1 it failed; 2 the command line or a parameter cannot be used.

Parameters, with their defaults (docs/parameters.md has their ranges):
"""


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether help is wanted, wherever in the command line it is asked for."""
    return any(argument in HELP for argument in arguments)


def help_text(node: NodeParameters) -> str:
    """What ``--help`` prints."""
    lines = [_line(parameter) for parameter in node.known({})]
    return _USAGE.format(node=node.node, about=node.about) + "\n".join(lines)


def _line(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f" (default: {spelled(parameter.default)})"
    return f"  {parameter.name}{default}\n      {parameter.description}"


def check_command_line(arguments: Sequence[str], *, own_options: bool = False) -> None:
    """Refuse words that neither the node nor ROS knows.

    Args:
        arguments: without the program's name.
        own_options: the node has read what stands outside of ``--ros-args`` itself.

    Raises:
        ParameterError: the message names the word and what was probably meant.
    """
    outside, ros = _parted(arguments)
    if outside and not own_options:
        raise ParameterError(_outside(outside[0]))
    remaining = iter(ros)
    for argument in remaining:
        if argument in _WITH_VALUE:
            next(remaining, None)  # one that is missing is told by whoever reads the option
        elif argument not in _ALONE:
            known = (*_WITH_VALUE, *_ALONE)
            near = difflib.get_close_matches(argument, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"ROS's options are {', '.join(known)}"
            raise ParameterError(f"{argument}: there is no such option after --ros-args; {hint}")
    try:
        remove_ros_args(["", *without_parameters(arguments)])
    except RuntimeError as error:  # an RCLError: a misspelt renaming or log level
        raise ParameterError(ros_words(error)) from error


def own_arguments(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """What a node's own options say, which stand outside of ``--ros-args``; ends the process where they are wrong.

    Raises:
        ParameterError: see :func:`check_command_line`.
    """
    check_command_line(argv[1:], own_options=True)
    return parser.parse_args(_parted(argv[1:])[0])


def ros_words(error: RuntimeError) -> str:
    """Why ROS refuses a command line, without the places in ROS's code."""
    why = str(error).rpartition("Failed to parse ROS arguments: ")[2]
    return f"ROS cannot use the command line: {re.sub(', at [^ ,]+:[0-9]+', '', why)}"


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words outside of ROS's part of a command line, and those in it."""
    outside: list[str] = []
    inside: list[str] = []
    ros = False
    for argument in arguments:
        if argument == "--ros-args":
            ros = True
        elif ros and argument == "--":
            ros = False
        else:
            (inside if ros else outside).append(argument)
    return outside, inside


def _outside(argument: str) -> str:
    if argument in _WITH_VALUE or argument in _ALONE or ":=" in argument:
        option = f"-p {argument}" if ":=" in argument else argument
        return f"{argument}: ROS's options stand after --ros-args: write --ros-args {option}"
    return f"{argument}: there is no such option; --help lists what there is"
