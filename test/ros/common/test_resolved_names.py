"""What nodes say of a topic's messages names the topic as it is after remapping and with its namespace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

import rclpy
from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Float64MultiArray

from vjepa_mpc.drivers.franka.condition import Condition

pytestmark = [pytest.mark.ros, pytest.mark.sim]

DOMAIN = 1 + os.getpid() % 100
ADDRESS = ("-p", "robot_ip:=127.0.0.1")
NAMES = ("-r", "__ns:=/left", "-r", "target_pose:=/arm/target")


def simulator() -> Any:
    pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")
    from vjepa_mpc.ros.sim.node import SimNode

    return SimNode()


def driver() -> Any:
    pytest.importorskip("franky", reason="franky-control is not installed")
    from vjepa_mpc.ros.franka.node import FrankaDriver

    return FrankaDriver()


@contextmanager
def running(make: Callable[[], Any], *parameters: str) -> Iterator[Any]:
    rclpy.init(args=["--ros-args", *NAMES, *parameters], domain_id=DOMAIN)
    made = None
    try:
        made = make()
        yield made
    finally:
        if made is not None:
            made.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture(params=[(simulator, ()), (driver, ADDRESS)], ids=["sim_node", "franka_driver"])
def node(request: pytest.FixtureRequest) -> Iterator[Any]:
    make, parameters = request.param
    with running(make, *parameters) as made:
        yield made


@pytest.fixture
def driver_node() -> Iterator[Any]:
    with running(driver, *ADDRESS) as made:
        yield made


def test_refused_targets_and_gripper_commands_name_the_resolved_topic(
    node: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    node._on_target(PoseStamped())
    node._on_gripper(Float64MultiArray(data=[0.0, 1.0]))
    said = "".join(capfd.readouterr())
    assert (
        "~/" not in said
        and "/arm/target" in said
        and "/left/gripper_position_controller/commands ignored: [0.0, 1.0]" in said
    )


def test_the_driver_names_its_service_so_that_it_can_be_typed(
    driver_node: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(driver_node._arm), "condition", (Condition.REFLEX, "cartesian_reflex"))
    driver_node._publish_condition()
    said = "".join(capfd.readouterr())
    assert "REFLEX" in said and "then call /left/franka_driver/recover." in said
