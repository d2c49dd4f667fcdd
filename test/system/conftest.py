"""Real node processes over DDS, on a domain of this test run's own; every set-point is recorded and checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")
pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")

from support.fault_injector import FaultInjector
from support.rig import FAST, Recorder, Rig, SimulatedArm, goal_picture
from vjepa_mpc.tools.processes import DomainLease, NodeProcess, local_environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(str(item.fspath)).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.ros)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def domain() -> int:
    """ROS domain id of this test run."""
    domain_id = DomainLease().domain_id
    os.environ.update(local_environment(domain_id))
    return domain_id


@pytest.fixture(scope="session")
def sim(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedArm]:
    """The simulated arm, one for all tests."""
    with SimulatedArm(tmp_path_factory.mktemp("sim") / "sim_node.log", domain) as arm:
        yield arm


@pytest.fixture(scope="session")
def link(domain: int, sim: SimulatedArm) -> Iterator[Recorder]:
    """The test's end of the connection."""
    with Recorder(domain) as result:
        result.wait_for_view(60.0)
        yield result


@pytest.fixture(scope="session")
def injector(domain: int, link: Recorder) -> Iterator[FaultInjector]:
    """What stands between simulator and planners that are to be fooled."""
    with FaultInjector(domain) as node:
        yield node


@pytest.fixture(scope="module")
def planner(
    request: pytest.FixtureRequest, domain: int, link: Recorder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeProcess]:
    """A planner, one for each file of tests.

    It is a fast one, unless the file says with ``PLANS`` which parameters it wants; its inputs come through the fault
    injector if the file says ``INJECTED = True``.
    """
    link.forget_planner()
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    remappings = None
    if getattr(request.module, "INJECTED", False):
        request.getfixturevalue("injector")
        remappings = FaultInjector.REMAPPINGS
    parameters = getattr(request.module, "PLANS", FAST)
    with Rig.start_planner(log, domain, remappings, **parameters) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"


@pytest.fixture
def rig(planner: NodeProcess, link: Recorder) -> Iterator[Rig]:
    """Arm at its start, no goal, nothing recorded; afterwards every recorded set-point must have been in order."""
    result = Rig(planner, link)
    result.reset()
    yield result
    result.clear_goal()
    link.check_setpoints()


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """The goal picture that most tests use."""
    return goal_picture()
