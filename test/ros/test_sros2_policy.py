"""The example SROS2 policy allows each node what it has, and nothing else."""

from __future__ import annotations

import os
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

ROOT = Path(__file__).resolve().parents[2]
POLICY = ElementTree.parse(ROOT / "config/sros2/vjepa_mpc.policy.xml").getroot()
DOMAIN = 1 + os.getpid() % 100
TIMEOUT = 10.0
# Which a node has only with certain parameters, or only on newer distributions.
SOMETIMES = {
    "/clock",
    "/tf",
    "/tf_static",
    "/parameter_events",
    "/camera/image_raw/compressed",
    *(f"/{node}/get_type_description" for node in ("planner_node", "franka_driver", "sim_node", "teach_workspace")),
}

pytestmark = pytest.mark.ros


def allowed(node: str) -> dict[str, set[str]]:
    """Names by what a node may do with them."""
    profile = POLICY.find(f".//profile[@node='{node}']")
    assert profile is not None, f"the policy has nothing for {node}"
    names: dict[str, set[str]] = {kind: set() for kind in ("publish", "subscribe", "reply", "execute")}
    for group in profile:
        for kind in set(names) & set(group.attrib):
            assert group.attrib[kind] == "ALLOW"
            names[kind] |= {str(element.text) for element in group}
    return names


def used(node: Any) -> dict[str, set[str]]:
    """The same of a living node, as the ROS graph shows it."""
    own = (node.get_name(), node.get_namespace())

    def names(read: Callable[[str, str], Any]) -> set[str]:
        return {name for name, _ in read(*own)}

    services = names(node.get_service_names_and_types_by_node)
    actions = {name.split("/_action/")[0] for name in services if "/_action/" in name}
    return {
        "publish": plain(names(node.get_publisher_names_and_types_by_node)),
        "subscribe": plain(names(node.get_subscriber_names_and_types_by_node)),
        "reply": plain(services),
        "execute": actions,
    }


def plain(names: set[str]) -> set[str]:
    return {name for name in names if "/_action/" not in name}


def compare(node: Any, also: dict[str, set[str]] | None = None) -> None:
    """Wait until the graph has caught up; what stays different is wrong."""
    expected, deadline = allowed(node.get_name()), time.monotonic() + TIMEOUT
    while True:
        found = used(node)
        forbidden = {kind: found[kind] - expected[kind] - SOMETIMES for kind in found}
        needless = {kind: expected[kind] - found[kind] - SOMETIMES - (also or {}).get(kind, set()) for kind in found}
        if not any(needless.values()) or time.monotonic() > deadline:
            break
        rclpy.spin_once(node, timeout_sec=0.05)
    assert not any(forbidden.values()), f"used, but not allowed: {forbidden}"
    assert not any(needless.values()), f"allowed, but not used: {needless}"


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """Makes a node with parameters and remappings in ROS's own notation."""
    nodes = []

    def make(kind: Callable[[], Any], *arguments: str) -> Any:
        rclpy.init(args=["--ros-args", *arguments], domain_id=DOMAIN)
        nodes.append(kind())
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def test_planner(start: Callable[..., Any]) -> None:
    from vjepa_mpc.ros.outputs.publishers import Outputs
    from vjepa_mpc.ros.outputs.thoughts import Thoughts
    from vjepa_mpc.ros.planner.inputs import Inputs
    from vjepa_mpc.ros.planner.node import PlannerNode

    node = start(PlannerNode, "--params-file", str(ROOT / "config/robots/sim.yaml"))
    settings = node._settings.snapshot
    thoughts = Thoughts(node, settings, None, lambda step: None, lambda image: None)
    inputs, outputs = Inputs(node, settings), Outputs(node, settings)  # as when it is configured
    compare(node)
    for each in (inputs, outputs, thoughts):
        each.destroy()


def test_driver(start: Callable[..., Any]) -> None:
    pytest.importorskip("franky", reason="franky-control is not installed")
    from vjepa_mpc.ros.franka.node import FrankaDriver

    compare(start(FrankaDriver, "-p", "robot_ip:=127.0.0.1"))


def test_teach_workspace(start: Callable[..., Any]) -> None:
    from vjepa_mpc.ros.teach_workspace.node import TeachWorkspaceNode, parser, with_profile

    arguments = with_profile(parser().parse_args([]))
    compare(start(lambda: TeachWorkspaceNode(arguments)))


@pytest.mark.sim
@pytest.mark.parametrize("address", ["", "127.0.0.1"])
def test_simulator(start: Callable[..., Any], address: str) -> None:
    pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")
    from vjepa_mpc.ros.sim.node import SimNode

    faults = {"/sim_node/reflex", "/sim_node/user_stop"}
    arm_out = {"/current_pose", "/joint_states"}
    arm_in = {"/target_pose", "/gripper_position_controller/commands"}
    with_driver = {"publish": arm_out, "subscribe": arm_in}
    node = start(SimNode, "-p", f"libfranka_address:='{address}'")
    compare(node, with_driver if address else {"reply": faults})


def test_set_goal_may_call_what_the_planner_offers() -> None:
    profile = POLICY.find(".//profile[@node='set_goal']")
    assert profile is not None
    requested = {element.text for element in profile.findall("services[@request='ALLOW']/service")}
    assert requested == {"/planner_node/set_goal", "/planner_node/get_image"} <= allowed("planner_node")["reply"]
    assert "/planner_node/status" in allowed("planner_node")["publish"] & allowed("set_goal")["subscribe"]
