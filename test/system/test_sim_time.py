"""Time from /clock, as with bags and simulators: goals are reached, also after the clock has begun anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from vjepa_mpc.msg import PlanStatus

from support.rig import BLOCK, FAST, GOAL, PROFILE, ROOT, START, goal_picture
from vjepa_mpc.tools.demo.link import DemoLink
from vjepa_mpc.tools.processes import DomainLease, NodeProcess


def moving(status: PlanStatus) -> bool:
    """Whether the planner pursues its goal."""
    return status.state in (PlanStatus.PLANNING, PlanStatus.EXECUTING)


@pytest.fixture
def own_domain() -> int:
    """A domain without the session's simulator, which publishes the machine's time."""
    return DomainLease().domain_id


def simulator(log: Path, domain: int) -> NodeProcess:
    parameters = {"publish_clock": "true", "start_pose": str(START.tolist())}
    return NodeProcess("sim_node", log, domain, params_files=[ROOT / "config/sim.yaml"], parameters=parameters)


@pytest.fixture
def link(own_domain: int, tmp_path: Path) -> Iterator[DemoLink]:
    planner = NodeProcess(
        "planner_node",
        tmp_path / "planner_node.log",
        own_domain,
        params_files=[ROOT / "config/planner.yaml", PROFILE],
        parameters={"use_sim_time": "true", **FAST},
    )
    with planner, DemoLink(own_domain) as result:
        yield result


def reach(link: DemoLink) -> None:
    """Set a goal, and see the arm come nearer and the goal end."""
    link.reset(START, BLOCK, 0.0)
    before = float(np.linalg.norm(link.wait_for_view().pose[:3] - GOAL[:3]))
    link.set_goal([goal_picture()], [3])
    link.wait_for_status(lambda status: status.reason == "GOAL_FINISHED", 90.0)
    assert np.linalg.norm(link.wait_for_view().pose[:3] - GOAL[:3]) < before


def test_goals_are_reached_and_a_clock_that_begins_anew_holds_for_a_while_only(
    link: DemoLink, own_domain: int, tmp_path: Path
) -> None:
    """As with a bag that is played in a loop, or a simulator that is started again."""
    with simulator(tmp_path / "first.log", own_domain):
        link.wait_for_view(60.0)
        reach(link)
        link.reset(START, BLOCK, 0.0)
        link.set_goal([goal_picture(START)], [1000])  # where the arm is, so that it is there after the new start, too
        link.wait_for_status(moving, 60.0)
    link.wait_for_status(lambda status: status.state == PlanStatus.HOLDING, 30.0)
    with simulator(tmp_path / "second.log", own_domain):
        link.wait_for_status(moving, 60.0)
        reach(link)
