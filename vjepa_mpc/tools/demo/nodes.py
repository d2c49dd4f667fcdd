"""The demo's nodes, each a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from vjepa_mpc.tools.processes import NodeProcess

ARMS = ("sim", "libfranka")  # what moves the simulated arm: its topics, or a driver over the libfranka protocol
LIBFRANKA_ADDRESS = "127.0.0.1"


def share_folder() -> Path:
    """Where config/ lies: the source tree, or the installed package's share folder."""
    source = Path(__file__).resolve().parents[3]
    if (source / "config" / "planner.yaml").is_file():
        return source
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("vjepa_mpc"))


def start_nodes(
    stack: ExitStack, out: Path, domain: int, arm: str, parameters: Mapping[str, str], record: bool = False
) -> list[NodeProcess]:
    """Simulator, planner and what drives the arm as processes; they end with the stack.

    Args:
        stack: ends the processes.
        out: folder for their logs.
        domain: DDS domain.
        arm: one of `ARMS`.
        parameters: of the planner, on top of its files.
        record: also record each goal into a bag below ``out``.
    """
    config = share_folder() / "config"
    over_libfranka = arm == "libfranka"
    sim = NodeProcess(
        "sim_node",
        out / "sim_node.log",
        domain,
        params_files=[config / "sim.yaml"],
        parameters={"libfranka_address": LIBFRANKA_ADDRESS} if over_libfranka else None,
    )
    nodes = [stack.enter_context(sim)]
    if over_libfranka:
        address = {"robot_ip": LIBFRANKA_ADDRESS}
        driver = NodeProcess("franka_driver", out / "franka_driver.log", domain, parameters=address)
        nodes.append(stack.enter_context(driver))
    planner = NodeProcess(
        "planner_node",
        out / "planner_node.log",
        domain,
        params_files=[config / "planner.yaml", config / "robots" / "sim.yaml"],
        parameters=parameters,
    )
    nodes.append(stack.enter_context(planner))
    if record:
        bags = {"folder": str(out / "recordings"), "bags": "goal"}
        nodes.append(stack.enter_context(NodeProcess("recorder", out / "recorder.log", domain, parameters=bags)))
    return nodes
