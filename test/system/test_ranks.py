"""The node on two processes: they move the arm; when one is killed, the arm comes to rest and it is said why."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch.distributed as dist
from std_srvs.srv import Trigger
from vjepa_mpc.msg import PlanStatus

from support.rig import FAST, Recorder, Rig, SimulatedArm
from vjepa_mpc.tools.processes import NodeProcess

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="this PyTorch has no torch.distributed")

MODULES = Path(__file__).parents[1]
END_TIMEOUT = 25.0  # seconds; torchrun kills after 30 what did not end by itself
LONG_PLAN = {"samples": 2000, "cem_steps": 50}  # takes many seconds


@contextmanager
def ready(process: NodeProcess, link: Recorder) -> Iterator[Rig]:
    """The planner, with the arm at its start; afterwards every set-point must have been in order."""
    with process:
        rig = Rig(process, link)
        rig.wait_for_state(PlanStatus.IDLE)
        rig.reset()
        yield rig
    link.check_setpoints()


@pytest.fixture
def under_torchrun(sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path) -> Iterator[Rig]:
    """A planner on two processes that torchrun started."""
    link.forget_planner()
    environment = {"PYTHONPATH": os.pathsep.join([str(MODULES), os.environ.get("PYTHONPATH", "")])}
    process = Rig.start_planner(
        tmp_path / "planner_node.log", domain, module="support.planner_on_two_ranks", environment=environment, **FAST
    )
    with ready(process, link) as rig:
        yield rig


def second_process(rig: Rig) -> psutil.Process:
    """The one that torchrun calls rank 1."""
    children = psutil.Process(rig.planner.pid).children()
    (found,) = (child for child in children if child.environ().get("RANK") == "1")
    return found


def stands_still(rig: Rig) -> bool:
    where = rig.position()
    return rig.link.stays_silent() and float(np.linalg.norm(rig.position() - where)) < 1e-3


@pytest.mark.parametrize("state", ["EXECUTING", "PLANNING"])
def test_when_a_process_of_torchrun_is_killed_the_arm_comes_to_rest_and_all_end(
    under_torchrun: Rig, picture: np.ndarray, state: str
) -> None:
    rig = under_torchrun
    if state == "PLANNING":
        assert rig.link.set_parameters("planner_node", **LONG_PLAN) == ""
    assert rig.request([picture], steps=[50]).success
    rig.wait_for_state(getattr(PlanStatus, state))
    if state == "EXECUTING":
        rig.link.wait_for_speed(0.03)
    killed = second_process(rig)
    killed.send_signal(signal.SIGKILL)
    assert rig.planner.wait(END_TIMEOUT) == 1, rig.planner.output()
    assert rig.link.stays_silent() and stands_still(rig)
    output = rig.planner.output()
    assert f"Signal 9 (SIGKILL) received by PID {killed.pid}" in output
    assert "<NO_OTHER_FAILURES>" in output, f"the node itself did not end with status 0:\n{output}"


@pytest.fixture
def by_hand(sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path) -> Iterator[tuple[Rig, NodeProcess]]:
    """A planner on two processes that nobody watches over, and the second one of them."""
    link.forget_planner()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    first, second = (
        Rig.start_planner(tmp_path / f"rank_{rank}.log", domain, environment={**shared, "RANK": rank}, **FAST)
        for rank in ("0", "1")
    )
    with second, ready(first, link) as rig:
        yield rig, second


def test_a_lost_process_is_a_named_fault_that_resuming_does_not_end(
    by_hand: tuple[Rig, NodeProcess], picture: np.ndarray
) -> None:
    rig, second = by_hand
    assert rig.request([picture], steps=[50]).success
    rig.link.wait_for_speed(0.03)
    second.send(signal.SIGKILL)
    status = rig.wait_for_reason("RANK_LOST")
    assert status.state == PlanStatus.FAULT
    assert (
        "rank 0 of 2 lost another rank" in status.message
        and "start all of them again. /planner_node/resume cannot" in status.message
    )
    rig.link.wait_until_silent()
    assert stands_still(rig)
    where = rig.position()
    rig.link.forget()
    assert rig.link.call(Trigger, "planner_node/resume", Trigger.Request()).success
    rig.wait_for_state(PlanStatus.PLANNING)
    assert rig.wait_for_reason("RANK_LOST").state == PlanStatus.FAULT
    # While it plans it may tell the arm to stay; nothing tells it to go anywhere.
    assert all(np.linalg.norm(each.position - where) < 1e-3 for each in rig.link.setpoints)
    assert stands_still(rig)
    rig.planner.send(signal.SIGINT)
    assert rig.planner.wait() == 0, rig.planner.output()
