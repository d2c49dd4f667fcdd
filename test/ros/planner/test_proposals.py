"""Actions that somebody else proposes: from message to motion, and what is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

from support.rigs.loop_rig import START, FakeNode, LoopRig, running, settings, stamp
from vjepa_mpc.ros.planner import diagnostics
from vjepa_mpc.ros.planner.inputs import Inputs

pytestmark = pytest.mark.ros

TOPIC = "~/proposals"
LABELS = ("proposal", "step", "action")
MOVE = np.array([0.04, 0.03, -0.02])
# Next to nothing of the planner's own: what leads to the goal has to come from elsewhere.
FEW = {"samples": 2, "topk": 2, "cem_steps": 1, "selection": "best"}


def message(actions: np.ndarray, labels: Sequence[str] = LABELS, data_offset: int = 0) -> Float64MultiArray:
    dimensions = [
        MultiArrayDimension(label=label, size=size) for label, size in zip(labels, actions.shape, strict=True)
    ]
    return Float64MultiArray(
        layout=MultiArrayLayout(dim=dimensions, data_offset=data_offset), data=actions.ravel().tolist()
    )


def moves(*wanted: np.ndarray | Sequence[float]) -> np.ndarray:
    """[P, 1, 7] with these moves, or whole actions."""
    actions = np.zeros((len(wanted), 1, 7))
    for action, move in zip(actions[:, 0], wanted, strict=True):
        action[: len(move)] = move
    return actions


def counts(rig: LoopRig) -> tuple[int, int, int]:
    """Used, refused and outdated, as /diagnostics says."""
    status = diagnostics.configured("planner", stamp(), rig.loop, rig.inputs).status[0]
    values = {value.key: int(value.value) for value in status.values if "proposals" in value.key}
    return values["plans with proposals"], values["proposals refused"], values["proposals outdated"]


def test_a_proposal_is_carried_out_once() -> None:
    with running(settings(**FEW)) as rig:
        rig.node.receive(TOPIC, message(moves(-MOVE, MOVE)))
        rig.set_goal(START + MOVE, START + 2 * MOVE)
        rig.wait_for("GOAL_FINISHED")
        np.testing.assert_allclose(rig.steps[0].actions[0, :3], MOVE, atol=1e-6)
        assert np.linalg.norm(rig.steps[1].actions[0, :3] - MOVE) > 0.01, "no second time"
        assert counts(rig) == (1, 0, 0)


def test_the_newest_message_counts_while_it_is_as_new_as_an_image_must_be() -> None:
    inputs = Inputs(FakeNode(), settings(image_timeout=0.5))
    proposals = inputs.proposals
    proposals.on_message(message(moves(-MOVE)))
    proposals.on_message(message(moves(MOVE)))
    taken = proposals.take(time.monotonic())
    np.testing.assert_array_equal(taken, moves(MOVE))
    assert proposals.take(time.monotonic()) is None
    proposals.on_message(message(moves(MOVE)))
    assert proposals.take(time.monotonic() + 0.6) is None
    assert proposals.take(time.monotonic()) is None, "what was too old once is not taken later"
    proposals.on_message(message(moves(MOVE)))
    inputs.forget()
    assert proposals.take(time.monotonic()) is None
    assert (proposals.used, proposals.outdated, proposals.refused) == (1, 1, 0)


BAD = {
    "no layout": (Float64MultiArray(data=[0.0] * 7), r"labelled \[\]: give three dimensions"),
    "turned round": (message(moves(MOVE), ("step", "proposal", "action")), r"labelled \['step', "),
    "two dimensions": (message(moves(MOVE)[0], LABELS[1:]), r"labelled \['step', 'action'\]"),
    "too little data": (
        Float64MultiArray(layout=message(moves(MOVE, MOVE)).layout, data=[0.0] * 7),
        r"7 numbers do not fit sizes \[2, 1, 7\]",
    ),
    "an offset": (message(moves(MOVE), data_offset=7), "data_offset=7"),
    "positions only": (message(moves(MOVE)[..., :3]), r"shape \[1, 1, 3\]: give \[P, H, 7\]"),
    "none": (message(np.zeros((0, 1, 7))), r"shape \[0, 1, 7\].*at least one"),
    "too many": (message(np.zeros((1001, 1, 7))), "1001 proposals of 1 steps are more than 1000"),
    "too long": (message(np.zeros((1, 65, 7))), "1 proposals of 65 steps are more than 1000 of 64"),
    "not a number": (message(moves(MOVE, [np.nan, 0.0, 0.0])), r"proposals\[1, 0\] is \[nan"),
    "a rotation": (message(moves([0.0, 0.0, 0.0, 0.0, 0.0, 0.3])), r"proposals\[0, 0\] is .*0\.3.*rotations"),
    "millimetres": (message(moves(1e3 * MOVE)), "MILLIMETRES: a move of 40"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_messages_are_refused_with_the_reason_and_the_good_one_stays(name: str) -> None:
    bad, says = BAD[name]
    node = FakeNode()
    inputs = Inputs(node, settings())
    node.receive(TOPIC, message(moves(MOVE)))
    node.receive(TOPIC, bad)
    assert inputs.proposals.refused == 1
    (warning,) = node.warnings
    assert re.search(says, warning), warning
    np.testing.assert_array_equal(inputs.proposals.take(time.monotonic()), moves(MOVE))


def test_a_finding_that_is_right_for_the_policy_can_be_ignored() -> None:
    with running(settings(ignore_sanity="CENTIMETRES", **FEW)) as rig:
        rig.node.receive(TOPIC, message(moves([5.0, 0.0, 0.0])))
        rig.set_goal(START + np.array([0.2, 0.0, 0.0]))
        rig.wait_for("GOAL_FINISHED")
        np.testing.assert_allclose(rig.steps[0].actions[0, :3], [0.075, 0.0, 0.0], atol=1e-6)  # cut to maxnorm


def test_refused_messages_do_not_disturb_a_goal() -> None:
    with running(settings()) as rig:
        rig.set_goal(START + MOVE, steps=2)
        for name in BAD:
            rig.node.receive(TOPIC, BAD[name][0])
        rig.wait_for("GOAL_FINISHED")
        assert counts(rig) == (0, len(BAD), 0)
    np.testing.assert_allclose(rig.position, START + MOVE, atol=0.01)
