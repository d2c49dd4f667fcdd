"""The planner node's parameters, declared to ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node

from vjepa_mpc.options import Parameter, parameters
from vjepa_mpc.registry import PartError
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import LiveParameters, ParameterError
from vjepa_mpc.ros.parameters.settings import Settings, build_settings


def known(values: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """All parameters, given the values that are known: the preset decides defaults."""
    return parameters(Settings, values=values)


NODE = NodeParameters(
    "planner_node",
    known,
    "Moves an arm to where the picture of a goal shows it: plans with a world model and publishes set-points. It is a "
    "lifecycle node.",
)


def _chosen(node: Node, preset: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that the node is started with: one from outside the package brings parameters of its own."""
    found: dict[str, Any] = {}
    for parameter in known(preset):
        if parameter.option.open_choices:
            found[parameter.name] = node.declare_parameter(parameter.name, parameter.default).value
            node.undeclare_parameter(parameter.name)
    return found


def declare(node: Node, locked: Callable[[], str], changed: Callable[[Settings], None]) -> LiveParameters[Settings]:
    """Declare everything; the preset, which decides other defaults, first.

    Raises:
        ParameterError: the values that the node was started with are refused.
    """
    first = known({})[0]
    preset = LiveParameters(node, [first], dict, lambda: "it only counts at start", lambda _: None).snapshot
    try:
        others = [parameter for parameter in known(preset | _chosen(node, preset)) if parameter.name != first.name]
    except PartError as error:
        raise ParameterError(str(error)) from error
    return LiveParameters(node, others, lambda values: build_settings({**preset, **values}), locked, changed)
