"""The planner's parameters that may change while it runs: read with their descriptions, followed, and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rcl_interfaces.msg import ParameterEvent, ParameterType
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient

from vjepa_mpc.dashboard.commands import Answer
from vjepa_mpc.dashboard.landscape import MODEL_OPTIONS
from vjepa_mpc.dashboard.seen import Seen, Tunable
from vjepa_mpc.ros.dashboard import reading

CORNERS = ("workspace.lower", "workspace.upper")
LIVE = "live"  # in a description's additional constraints
_ONE_OF = "one of "
_KINDS = {
    ParameterType.PARAMETER_BOOL: bool,
    ParameterType.PARAMETER_INTEGER: int,
    ParameterType.PARAMETER_DOUBLE: float,
    ParameterType.PARAMETER_STRING: str,
}
_FARTHEST = 1e12  # a bound beyond is none


class Tuning:
    """Fills ``seen.tunables``. All calls come from the executor's thread.

    Args:
        node: which asks.
        planner: full name of the planner.
        seen: what is filled.
    """

    def __init__(self, node: Node, planner: str, seen: Seen) -> None:
        self._planner, self._seen = planner, seen
        self._client = AsyncParameterClient(node, planner)
        self._asked = False
        self._waiting: dict[str, tuple[Any, Answer]] = {}  # the newest value of each that somebody moved
        self._in_flight = False
        node.create_subscription(ParameterEvent, "/parameter_events", self._on_event, 100)

    def look(self, there: bool) -> None:
        """Ask for the parameters, once whenever the planner has come."""
        if not there:
            self._asked = self._in_flight = False
            self._waiting.clear()
        elif not self._asked and self._client.services_are_ready():
            self._asked = True
            self._client.list_parameters(callback=self._on_names)

    def value(self, name: str) -> Any:
        """The present value; None while it is not known."""
        return next((each.value for each in self._seen.tunables or () if each.name == name), None)

    def set(self, name: str, value: Any, answer: Answer) -> None:
        """Change one. While one change is under way only the newest of each parameter waits: sliders send many."""
        kind = type(self.value(name))
        self._waiting[name] = (kind(value) if kind in (int, float) else value, answer)
        self._send()

    def _send(self) -> None:
        if self._in_flight or not self._waiting:
            return
        name, (value, answer) = next(iter(self._waiting.items()))
        del self._waiting[name]
        if not self._client.services_are_ready():
            answer(False, f"{name}: {self._planner} does not take parameters now")
            return
        self._in_flight = True
        self._client.set_parameters([Parameter(name, value=value)], callback=self._on_set(name, value, answer))

    def _on_set(self, name: str, value: Any, answer: Answer) -> Callable[[Any], None]:
        def on_done(done: Any) -> None:
            self._in_flight = False
            result = done.result().results[0]
            if result.successful:
                answer(True, f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}")
            else:
                answer(False, f"{name}: {result.reason}")
                self._seen.tunables = tuple(map(replace, self._seen.tunables or ()))  # the old value is shown again
            self._send()

        return on_done

    def _on_names(self, done: Any) -> None:
        names = list(done.result().result.names)
        if set(CORNERS) <= set(names):
            self._client.get_parameters(list(CORNERS), callback=self._on_corners)
        of_model = [name for name in MODEL_OPTIONS if name in names]
        self._client.get_parameters(of_model, callback=lambda done: self._on_model(of_model, done))
        self._client.describe_parameters(names, callback=self._on_descriptions)

    def _on_model(self, names: list[str], done: Any) -> None:
        values = map(parameter_value_to_python, done.result().values)
        self._seen.model = {name: str(value) for name, value in zip(names, values, strict=True)}

    def _on_corners(self, done: Any) -> None:
        """The box, which markers show from the first step on only."""
        lower, upper = (list(each.double_array_value) for each in done.result().values)
        if len(lower) == len(upper) == 3:
            self._seen.workspace = reading.box_of(lower, upper)

    def _on_descriptions(self, done: Any) -> None:
        described = {each.name: each for each in done.result().descriptors if is_tunable(each)}
        names = list(described)

        def on_values(done: Any) -> None:
            values = map(parameter_value_to_python, done.result().values)
            pairs = zip(described.values(), values, strict=True)
            self._seen.tunables = tuple(tunable_of(each, value) for each, value in pairs if value is not None)

        self._client.get_parameters(names, callback=on_values)

    def _on_event(self, event: ParameterEvent) -> None:
        if event.node != self._planner or self._seen.tunables is None:
            return
        changed: dict[str, Any] = {
            each.name: parameter_value_to_python(each.value) for each in event.changed_parameters
        }
        if changed.keys() & {each.name for each in self._seen.tunables}:
            self._seen.tunables = tuple(
                replace(each, value=changed.get(each.name, each.value)) for each in self._seen.tunables
            )


def is_tunable(descriptor: Any) -> bool:
    """Whether a parameter may change now, and has a type that the page has a control for."""
    live = LIVE in descriptor.additional_constraints.split("; ")
    return live and not descriptor.read_only and descriptor.type in _KINDS


def tunable_of(descriptor: Any, value: Any) -> Tunable:
    """A described parameter."""
    low: float | None = None
    high: float | None = None
    for bounds in (*descriptor.floating_point_range, *descriptor.integer_range):
        low = bounds.from_value if abs(bounds.from_value) < _FARTHEST else None
        high = bounds.to_value if abs(bounds.to_value) < _FARTHEST else None
    words = descriptor.additional_constraints.split("; ")
    listed = next((word.removeprefix(_ONE_OF) for word in words if word.startswith(_ONE_OF)), "")
    choices = tuple(name.strip() for name in listed.split(",") if name.strip() and ":" not in name)
    return Tunable(descriptor.name, value, descriptor.description, low, high, choices)
