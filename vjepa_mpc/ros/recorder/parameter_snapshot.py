"""A node's parameters as one message, so that a bag tells what they were before they changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import Parameter, ParameterEvent
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient


class ParameterSnapshot:
    """Asks a node for all its parameters, and keeps them up to date with the changes that it tells of.

    Args:
        node: which asks.
        target: full name of the node that is asked.
        known: called with the parameters as a ParameterEvent whose ``new_parameters`` are all of them, and whether
            they are the answer to `ask` rather than the state after a change.
    """

    def __init__(self, node: Node, target: str, known: Callable[[ParameterEvent, bool], None]) -> None:
        self._node, self._target, self._known = node, target, known
        self._client = AsyncParameterClient(node, target)
        self._values: dict[str, Any] = {}

    def ask(self) -> bool:
        """Ask for them; False when the node does not serve its parameters yet. The answer comes in a callback."""
        if not self._client.services_are_ready():
            return False
        self._client.list_parameters(callback=self._on_names)
        return True

    def note(self, event: ParameterEvent) -> None:
        """Take over changes, so that the next bag begins with the present values."""
        if event.node != self._target or not self._values:
            return
        self._values.update({each.name: each.value for each in (*event.new_parameters, *event.changed_parameters)})
        for each in event.deleted_parameters:
            self._values.pop(each.name, None)
        self._tell(asked=False)

    def _on_names(self, answer: Any) -> None:
        names = list(answer.result().result.names)
        self._client.get_parameters(names, callback=lambda values: self._on_values(names, values))

    def _on_values(self, names: list[str], answer: Any) -> None:
        self._values = dict(zip(names, answer.result().values, strict=False))
        self._tell(asked=True)

    def _tell(self, asked: bool) -> None:
        parameters = [Parameter(name=name, value=value) for name, value in self._values.items()]
        stamp = self._node.get_clock().now().to_msg()
        self._known(ParameterEvent(stamp=stamp, node=self._target, new_parameters=parameters), asked)
