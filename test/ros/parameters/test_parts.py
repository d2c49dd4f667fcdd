"""A part from outside the package, chosen by a parameter, with options that are parameters as well."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from rclpy.node import Node

from vjepa_mpc.ros.parameters.live import ParameterError
from vjepa_mpc.ros.parameters.planner import declare
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros

OBJECTIVE = """
from dataclasses import dataclass
from vjepa_mpc.options import option
from vjepa_mpc.planning import Objective, l1_energy

class KeepLevel(Objective):
    @dataclass(frozen=True, kw_only=True)
    class Options:
        weight: float = option(1.0, "Energy of a tilt.", low=0.0, high=10.0, live=True)
    def __init__(self, options):
        self.options = options
    def __call__(self, predicted, goal):
        return self.options.weight * l1_energy(predicted.last, goal)
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[rclpy.Context]:
    (tmp_path / "lab_objectives.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = rclpy.Context()
    rclpy.init(context=made, domain_id=DomainLease().domain_id)
    yield made
    made.try_shutdown()
    sys.modules.pop("lab_objectives", None)


def settings(context: rclpy.Context, *arguments: str) -> Settings:
    """The snapshot of a node that is started with these parameters."""
    given = [word for argument in arguments for word in ("-p", argument)]
    node = Node("planner", context=context, cli_args=["--ros-args", *given])
    try:
        return declare(node, lambda: "", lambda _: None).snapshot
    finally:
        node.destroy_node()


def test_an_objective_from_outside_brings_its_parameters(context: rclpy.Context) -> None:
    found = settings(context, "objective:=lab_objectives:KeepLevel", "keep_level.weight:=2.5").planner
    assert found.objective == "lab_objectives:KeepLevel"
    assert found.options["lab_objectives:KeepLevel"].weight == 2.5  # type: ignore[attr-defined]


def test_so_does_a_term_of_a_sum(context: rclpy.Context) -> None:
    terms = "sum.terms:='l1=1.0, lab_objectives:KeepLevel=0.1'"
    found = settings(context, "objective:=sum", terms, "keep_level.weight:=2.5").planner
    assert found.options["lab_objectives:KeepLevel"].weight == 2.5  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("lab_objectives:KeepUpright", "the module lab_objectives has no KeepUpright"),
        ("no_such_module:Objective", "cannot be imported"),
        ("l11", "objective='l11': use one of cosine, effort, l1, l2, masked, sum, or package"),
    ],
)
def test_what_is_no_objective_is_refused(context: rclpy.Context, objective: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        settings(context, f"objective:={objective}")
