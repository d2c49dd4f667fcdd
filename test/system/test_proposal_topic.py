"""A policy beside the planner, as another process: what it proposes is carried out if it is good."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from std_msgs.msg import Float64MultiArray

from support.rig import ROOT, Rig

PROPOSED = (-0.07, 0.07, -0.07)  # by the example, and nearly the way from start to goal
# Next to nothing of the planner's own: what leads to the goal has to come from elsewhere.
PLANS = {"samples": "2", "topk": "2", "cem_steps": "1", "selection": "best"}


@pytest.fixture
def policy(domain: int) -> Iterator[None]:
    """The example, as it stands there."""
    with subprocess.Popen([sys.executable, ROOT / "examples" / "propose_actions.py"]) as process:
        yield
        assert process.poll() is None, "the example has ended"
        process.kill()


def with_proposals(values: dict[str, str]) -> int:
    return int(values["plans with proposals"])


@pytest.mark.usefixtures("policy")
def test_the_example_s_policy_shows_the_way(rig: Rig, picture: np.ndarray) -> None:
    assert rig.request([picture], steps=[1000]).success
    known = rig.link.wait_for_diagnostics(lambda values: with_proposals(values) > 0)
    rig.clear_goal()
    rig.reset()
    goal = rig.request([picture], steps=[1])
    rig.wait_for_reason("GOAL_FINISHED")
    actions = [np.array(status.action[:3]) for status in rig.link.statuses_of(goal.goal_id)]
    assert any(np.allclose(action, PROPOSED, atol=1e-6) for action in actions), actions
    rig.link.wait_for_diagnostics(lambda values: with_proposals(values) > with_proposals(known))


def test_a_malformed_message_is_counted_and_named_and_the_goal_is_pursued(rig: Rig, picture: np.ndarray) -> None:
    publisher = rig.link.publisher(Float64MultiArray, "planner_node/proposals")
    assert rig.request([picture], steps=[2]).success
    for _ in range(30):  # until the planner knows the publisher
        publisher.publish(Float64MultiArray(data=[0.1] * 7))
        values = rig.link.wait_for_diagnostics(bool)
        if int(values["proposals refused"]):
            break
    else:
        pytest.fail(f"no message was refused: {values}")
    assert "proposals refused: layout.dim is labelled []" in rig.planner.output()
    rig.wait_for_reason("GOAL_FINISHED")
