"""Parameters of a node that are described, checked as a whole before they change, and read as one frozen snapshot."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

S = TypeVar("S")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One parameter.

    Attributes:
        name: as in `ros2 param set`.
        default: also fixes the type; a tuple of floats is a double array. None: a double array without a default.
        description: one line; the unit is in it.
        low: least value of a number.
        high: greatest value of a number.
        choices: allowed strings.
        open_choices: besides the choices, "package.module:Class" is allowed.
        dynamic: may change at any time; others only while the node's owner admits it.
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    open_choices: bool = False
    dynamic: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        ranges: dict[str, Any] = {}
        if isinstance(self.default, float) and self.low is not None:
            ranges["floating_point_range"] = [FloatingPointRange(from_value=float(self.low), to_value=float(self.high))]
        elif type(self.default) is int and self.low is not None:
            ranges["integer_range"] = [IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)]
        own = ", or package.module:Class" if self.open_choices else ""
        constraints = [] if not self.choices else ["one of " + ", ".join(self.choices) + own]
        constraints.append("dynamic" if self.dynamic else "static")
        return ParameterDescriptor(
            description=self.description, additional_constraints="; ".join(constraints), **ranges
        )

    def check(self, value: Any) -> None:
        """Refuse what a descriptor cannot express.

        Raises:
            ValueError: not among the choices, or a number that is not finite.
        """
        if self.choices and value not in self.choices and not (self.open_choices and ":" in value):
            raise ValueError(f"{self.name}={value!r}: use one of {', '.join(self.choices)}")
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise ValueError(f"{self.name}={value}: use finite numbers")


class ParameterError(ValueError):
    """The parameters that the node was started with cannot be used; the message says which and why."""


class LiveParameters(Generic[S]):
    """Declares parameters and keeps a snapshot of them that is always consistent.

    A change is checked as a whole, together with the values it does not touch, by building the snapshot that would
    result; only then does it take effect. All calls come from the executor's thread; `snapshot` may be read anywhere.

    Args:
        node: whose parameters.
        entries: what to declare.
        build: makes the snapshot from all values, or raises ValueError naming the values that do not fit together.
        locked: tells whether static parameters may not change now, as the reason to give; "" when they may.
        changed: called with a new snapshot after a change.

    Raises:
        ParameterError: the values that the node was started with are refused.
    """

    def __init__(
        self,
        node: Node,
        entries: Iterable[Entry],
        build: Callable[[Values], S],
        locked: Callable[[], str],
        changed: Callable[[S], None],
    ) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._build, self._locked, self._changed = build, locked, changed
        try:
            self._values = {entry.name: _declare(node, entry) for entry in self._entries.values()}
            self.snapshot = self._checked(self._values)
        except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
            raise ParameterError(str(error)) from error
        if hasattr(node, "add_post_set_parameters_callback"):
            node.add_on_set_parameters_callback(self._check)
            node.add_post_set_parameters_callback(self._apply)
        else:  # ROS 2 Humble
            node.add_on_set_parameters_callback(self._check_and_apply)

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        changes = self._changes(parameters)
        static = [name for name in changes if not self._entries[name].dynamic and changes[name] != self._values[name]]
        try:
            if static and (reason := self._locked()):
                raise ValueError(f"{', '.join(static)} cannot change now: {reason}")
            self._checked({**self._values, **changes})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: Sequence[Parameter]) -> None:
        changes = self._changes(parameters)
        if changes:
            self._values = {**self._values, **changes}
            self.snapshot = self._build(self._values)
            self._changed(self.snapshot)

    def _check_and_apply(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        result = self._check(parameters)
        if result.successful:
            self._apply(parameters)
        return result

    def _checked(self, values: Values) -> S:
        for name, value in values.items():
            self._entries[name].check(value)
        return self._build(values)

    def _changes(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        return {p.name: _plain(p.value) for p in parameters if p.name in self._entries}


def _declare(node: Node, entry: Entry) -> Any:
    if entry.default is None:
        return _plain(node.declare_parameter(entry.name, Parameter.Type.DOUBLE_ARRAY, entry.descriptor()).value)
    default = list(entry.default) if isinstance(entry.default, tuple) else entry.default
    return _plain(node.declare_parameter(entry.name, default, entry.descriptor()).value)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple | array.array) else value
