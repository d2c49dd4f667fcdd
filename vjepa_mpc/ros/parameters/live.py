"""Parameters of a node that are described, checked as a whole before they change, and read as one frozen snapshot."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from vjepa_mpc.options import Parameter
from vjepa_mpc.ros.parameters.conversion import converted
from vjepa_mpc.ros.parameters.yaml_text import parse

S = TypeVar("S")
Values = Mapping[str, Any]

_LARGEST_INTEGER = 2**63 - 1


class ParameterError(ValueError):
    """The parameters that the node was started with cannot be used; the message says which and why."""


class LiveParameters(Generic[S]):
    """Declares parameters and keeps a snapshot of them that is always consistent.

    A change is checked as a whole, together with the values it does not touch, by building the snapshot that would
    result; only then does it take effect. All calls come from the executor's thread; `snapshot` may be read anywhere.

    Args:
        node: whose parameters.
        parameters: what to declare.
        build: makes the snapshot from all values, or raises ValueError naming the values that do not fit together.
        locked: tells whether static parameters may not change now, as the reason to give; "" when they may.
        changed: called with a new snapshot after a change.

    Raises:
        ParameterError: the values that the node was started with are refused.
    """

    def __init__(
        self,
        node: Node,
        parameters: Iterable[Parameter],
        build: Callable[[Values], S],
        locked: Callable[[], str],
        changed: Callable[[S], None],
    ) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._build, self._locked, self._changed = build, locked, changed
        try:
            self._values = {name: _declare(node, parameter) for name, parameter in self._parameters.items()}
            self.snapshot = self._checked(self._values)
        except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
            raise ParameterError(str(error)) from error
        if hasattr(node, "add_post_set_parameters_callback"):
            node.add_pre_set_parameters_callback(self._convert)
            node.add_on_set_parameters_callback(self._check)
            node.add_post_set_parameters_callback(self._apply)
        else:  # ROS 2 Humble
            node.add_on_set_parameters_callback(self._check_and_apply)

    def _convert(self, given: list[RosParameter]) -> list[RosParameter]:
        """Before ROS looks at types: whole numbers where real ones are wanted, and lists that mix both."""
        return [self._as_declared(each) for each in given]

    def _as_declared(self, given: RosParameter) -> RosParameter:
        parameter = self._parameters.get(given.name)
        if parameter is None:
            return given
        value = _plain(given.value)
        if isinstance(value, str) and isinstance(parameter.default, tuple | None):
            value = parse(value)  # `ros2 param set` sends a list that mixes whole and real numbers as text
        try:
            value = converted(parameter, value)
        except ValueError:
            return given  # refused in ROS's own words
        return RosParameter(given.name, value=list(value) if isinstance(value, tuple) else value)

    def _check(self, given: Sequence[RosParameter]) -> SetParametersResult:
        changes = self._changes(given)
        static = [
            name for name, value in changes.items() if value != self._values[name] and self._is_static(name, value)
        ]
        try:
            if static and (reason := self._locked()):
                raise ValueError(f"{', '.join(static)} cannot change now: {reason}")
            self._checked({**self._values, **changes})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _is_static(self, name: str, value: Any) -> bool:
        """Whether the change has to wait; also that to a part from outside, which runs code from outside."""
        details = self._parameters[name].option
        return not details.live or (details.open_choices and ":" in value)

    def _apply(self, given: Sequence[RosParameter]) -> None:
        changes = self._changes(given)
        if changes:
            self._values = {**self._values, **changes}
            self.snapshot = self._build(self._values)
            self._changed(self.snapshot)

    def _check_and_apply(self, given: Sequence[RosParameter]) -> SetParametersResult:
        result = self._check(given)
        if result.successful:
            self._apply(given)
        return result

    def _checked(self, values: Values) -> S:
        for name, value in values.items():
            self._parameters[name].check(value)
        return self._build(values)

    def _changes(self, given: Sequence[RosParameter]) -> dict[str, Any]:
        return {each.name: _plain(each.value) for each in given if each.name in self._parameters}


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """What `ros2 param describe` shows."""
    details, ranges = parameter.option, {}
    if isinstance(parameter.default, float) and (details.low, details.high) != (None, None):
        most = sys.float_info.max
        low, high = _bounds(details.low, details.high, most)
        ranges["floating_point_range"] = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif type(parameter.default) is int and (details.low, details.high) != (None, None):
        low, high = _bounds(details.low, details.high, _LARGEST_INTEGER)
        ranges["integer_range"] = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    constraints = [f"one of {parameter.range}"] if details.allowed else []
    constraints.append("live" if details.live else "static")
    return ParameterDescriptor(
        description=parameter.description, additional_constraints="; ".join(constraints), **ranges
    )


def _bounds(low: float | None, high: float | None, most: float) -> tuple[float, float]:
    return -most if low is None else low, most if high is None else high


def _declare(node: Node, parameter: Parameter) -> Any:
    default: Any = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    if default is None:
        default = RosParameter.Type.DOUBLE_ARRAY
    return _plain(node.declare_parameter(parameter.name, default, descriptor(parameter)).value)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple | array.array) else value
