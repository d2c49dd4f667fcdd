"""Changing a running node's parameters: types that pass, checks as a whole, and what stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from vjepa_mpc.options import build, check_options, option, parameters
from vjepa_mpc.ros.parameters.live import LiveParameters, descriptor
from vjepa_mpc.tools.processes import DomainLease

pytestmark = [
    pytest.mark.ros,
    pytest.mark.skipif(not hasattr(Node, "add_pre_set_parameters_callback"), reason="rclpy looks at types first"),
]


@dataclass(frozen=True, kw_only=True)
class Thing:
    speed: float = option(0.2, "How fast.", unit="m/s", low=0.0, high=3.0, live=True)
    corner: tuple[float, ...] | None = option(None, "Where.", live=True)
    samples: int = option(4, "How many.", low=2, live=True)
    elites: int = option(2, "How many are kept.", low=1, live=True)
    device: str = option("cpu", "Where it runs.")
    method: str = option("fast", "How it works.", choices=("fast", "exact"), open_choices=True, live=True)

    def __post_init__(self) -> None:
        check_options(self)
        if self.elites > self.samples:
            raise ValueError(f"elites={self.elites} > samples={self.samples}")


@dataclass
class Running:
    node: Node
    live: LiveParameters[Thing]
    locked: str = "it is running"

    def set(self, **values: Any) -> str:
        """The reason of a refusal; "" when the values were taken."""
        given = [Parameter(name, value=value) for name, value in values.items()]
        result = self.node.set_parameters_atomically(given)
        return "" if result.successful else result.reason


@pytest.fixture
def running() -> Iterator[Running]:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DomainLease().domain_id)
    node = Node("thing", context=context)
    made = Running.__new__(Running)
    made.node, made.locked = node, "it is running"
    made.live = LiveParameters(
        node, parameters(Thing), lambda values: build(Thing, values), lambda: made.locked, lambda _: None
    )
    yield made
    node.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize("corner", [[1, 2, 3], [1.0, 2.0, 3.0], "[1.0, 2, 3]"])
def test_whole_numbers_pass_for_real_ones(running: Running, corner: Any) -> None:
    """`ros2 param set` sends a list that mixes both as text."""
    assert running.set(speed=1, corner=corner) == ""
    assert running.live.snapshot == Thing(speed=1.0, corner=(1.0, 2.0, 3.0))
    assert running.node.get_parameter("speed").type_ is Parameter.Type.DOUBLE


@pytest.mark.parametrize(
    "values", [{"samples": 2.5}, {"device": 0}, {"speed": "fast"}, {"corner": "here"}, {"speed": True}]
)
def test_other_types_are_refused(running: Running, values: dict[str, Any]) -> None:
    assert running.set(**values)
    assert running.live.snapshot == Thing()


def test_a_change_is_checked_as_a_whole(running: Running) -> None:
    assert running.set(elites=5) == "elites=5 > samples=4"
    assert running.set(elites=5, samples=8) == ""
    assert "samples" in running.set(samples=3)
    assert (running.live.snapshot.elites, running.live.snapshot.samples) == (5, 8)


def test_static_ones_wait_until_they_may_change(running: Running) -> None:
    assert running.set(device="cuda") == "device cannot change now: it is running"
    running.locked = ""
    assert running.set(device="cuda") == ""


def test_code_from_outside_waits_until_it_may_be_chosen(running: Running) -> None:
    assert running.set(method="exact") == ""
    assert running.set(method="my_package:Method") == "method cannot change now: it is running"
    running.locked = ""
    assert running.set(method="my_package:Method") == ""


def test_ranges_with_one_end_are_described() -> None:
    found = {each.name: descriptor(each) for each in parameters(Thing)}
    assert found["samples"].integer_range[0].from_value == 2
    assert found["speed"].description == "How fast. [m/s]"
    assert found["device"].additional_constraints == "static"
