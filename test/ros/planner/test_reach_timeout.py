"""The time-out of ~/reach_goal comes whatever the ROS clock does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from vjepa_mpc.action import ReachGoal

from support.rigs.nodes import Nodes, nodes
from vjepa_mpc.ros.planner.reach_action import ReachAction

pytestmark = pytest.mark.ros

PATIENCE = 60.0  # seconds


class NeverDecoded:
    """A goal setter that is still at the goal's pictures."""

    def set(self, *_: Any) -> None:
        """Answer later."""

    def rest(self) -> tuple[None, str]:
        """Why the arm does not move."""
        return None, "nothing comes over /clock"


@pytest.fixture
def start() -> Iterator[Nodes]:
    with nodes() as made:
        yield made


def test_it_comes_while_simulated_time_stands_still(start: Nodes) -> None:
    planner = start("planner_node", "-p", "use_sim_time:=true")
    goals: Any = NeverDecoded()
    ReachAction(planner, goals)
    client: ActionClient[Any, Any, Any] = ActionClient(start("client"), ReachGoal, "/planner_node/reach_goal")
    assert start.spin_until(client.server_is_ready, PATIENCE)
    sending = client.send_goal_async(ReachGoal.Goal(timeout=0.2))
    assert start.spin_until(sending.done, PATIENCE)
    handle = sending.result()
    assert handle is not None
    ending = handle.get_result_async()
    assert start.spin_until(ending.done, PATIENCE), "the time-out waits for /clock"
    answer = ending.result()
    assert (answer.status, answer.result.code) == (GoalStatus.STATUS_ABORTED, ReachGoal.Result.TIMED_OUT)
    assert answer.result.message == "timeout=0.2 s passed while the arm did not move: nothing comes over /clock"
    client.destroy()
