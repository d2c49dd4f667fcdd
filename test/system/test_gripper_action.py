"""The gripper by action, over DDS: the newest command counts, nothing is waited for, failures have a name.

Where control_msgs and franka_msgs are not installed (they are on no package index), generated stand-ins with the same
names and fields take their place. The servers are the test's own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from vjepa_mpc.msg import PlanStatus

from support import stand_ins
from support.rig import FAST, Recorder, Rig
from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN, GripperJoint
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.outputs.gripper import action as gripper_action
from vjepa_mpc.ros.outputs.gripper.action import GripperAction
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.tools.processes import NodeProcess

NAME = "hand/gripper_action"
ROBOT_STATE = "broadcaster/robot_state"
TIMEOUT = 10.0
EFFORT = 12.5
POLL = 0.02  # seconds; the control loop's period


@pytest.fixture(scope="module", autouse=True)
def interfaces() -> None:
    for package in ("control_msgs", "franka_msgs"):
        stand_ins.provide(package)


class Hand:
    """A gripper's driver that does what the test wants: goals stay open until `end`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.accepts = self.cancels = True
        self.answering = threading.Event()
        self.answering.set()
        self.log: list[str] = []
        self.efforts: list[float] = []
        self._goals: list[Any] = []
        self._changed = threading.Condition()
        self._kind = optional_interfaces.gripper_command()
        self._server: ActionServer | None = None

    def start(self) -> None:
        """Serve the action."""
        self._server = ActionServer(
            self.node,
            self._kind,
            NAME,
            execute_callback=lambda _: self._kind.Result(),  # never used: see `end`
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    def stop(self) -> None:
        """Serve it no more."""
        if self._server is not None:
            self._server.destroy()

    def _note(self, what: str, goal: Any) -> None:
        with self._changed:
            self.log.append(f"{what} {goal.command.position:g}")
            self._changed.notify_all()

    def _on_goal(self, goal: Any) -> GoalResponse:
        assert self.answering.wait(TIMEOUT)
        self.efforts.append(goal.command.max_effort)
        if not self.accepts:
            self._note("reject", goal)
        return GoalResponse.ACCEPT if self.accepts else GoalResponse.REJECT

    def _on_accepted(self, handle: Any) -> None:
        self._goals.append(handle)
        self._note("accept", handle.request)

    def _on_cancel(self, handle: Any) -> CancelResponse:
        self._note("cancel", handle.request)
        return CancelResponse.ACCEPT if self.cancels else CancelResponse.REJECT

    def end(self, how: str, position: float) -> None:
        """The oldest open goal ends by `succeed`, `abort` or `canceled`, with the fingers at a position."""

        def hand_over(handle: Any) -> Any:
            getattr(handle, how)()
            return self._kind.Result(position=position)

        self._goals.pop(0).execute(hand_over)

    def wait_for(self, *log: str) -> None:
        """Until this, and nothing else, has happened."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.log) >= len(log), TIMEOUT), self.log
            assert self.log == list(log)


class Connection:
    """A client and a hand, each with a node and an executor of its own."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._nodes = [Node(name, context=self._context) for name in ("client", "hand")]
        self._executors = [SingleThreadedExecutor(context=self._context) for _ in self._nodes]
        self._threads = []
        for executor, node in zip(self._executors, self._nodes, strict=True):
            executor.add_node(node)
            self._threads.append(threading.Thread(target=executor.spin))
            self._threads[-1].start()
        self.hand = Hand(self._nodes[1])
        finger = GripperJoint(open_position=0.04, closed_position=0.0)
        self.action = GripperAction(self._nodes[0], NAME, finger, GripperAction.Options(max_effort=EFFORT))

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown()
        for thread in self._threads:
            thread.join()
        self.action.destroy()
        self.hand.stop()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown(context=self._context)

    def trouble(self, *expected: Reason | None) -> str:
        """Ask again and again, as the control loop does, until the last reason comes; only these may come before."""
        poll = threading.Event()
        for _ in range(int(TIMEOUT / POLL)):
            found = self.action.trouble()
            reason = None if found is None else found.reason
            assert reason in (None, *expected), found
            if reason is expected[-1]:
                return "" if found is None else found.detail
            poll.wait(POLL)
        raise AssertionError(f"no {expected[-1]} came")

    def end(self, how: str, position: float) -> None:
        """The goal ends, and the client knows."""
        self.hand.end(how, position)
        poll = threading.Event()
        for _ in range(int(TIMEOUT / POLL)):
            if self.action._goal is None:
                return
            poll.wait(POLL)
        raise AssertionError("the client heard of no end")


@pytest.fixture
def connection(domain: int) -> Iterator[Connection]:
    result = Connection(domain)
    result.hand.start()
    result.trouble(Reason.GRIPPER_ABSENT, None)
    yield result
    result.close()


def test_a_command_becomes_a_goal_with_position_and_effort(connection: Connection) -> None:
    connection.action.command(CLOSED)
    connection.hand.wait_for("accept 0")
    connection.end("succeed", 0.0)
    connection.action.command(OPEN)
    connection.hand.wait_for("accept 0", "accept 0.04")
    assert connection.hand.efforts == [EFFORT, EFFORT]
    assert connection.action.trouble() is None


def test_a_newer_command_follows_when_the_older_one_is_cancelled(connection: Connection) -> None:
    connection.action.command(CLOSED)
    connection.hand.wait_for("accept 0")
    for closedness in (0.5, 0.25, OPEN):  # only the newest is sent
        connection.action.command(closedness)
    connection.hand.wait_for("accept 0", "cancel 0")
    connection.hand.end("canceled", 0.02)
    connection.hand.wait_for("accept 0", "cancel 0", "accept 0.04")
    assert connection.action.trouble() is None  # what became of the older one does not matter


def test_a_server_that_does_not_cancel_gets_the_newer_command_at_once(connection: Connection) -> None:
    connection.hand.cancels = False
    connection.action.command(CLOSED)
    connection.hand.wait_for("accept 0")
    connection.action.command(OPEN)
    connection.hand.wait_for("accept 0", "cancel 0", "accept 0.04")


@pytest.mark.parametrize("how", ["succeed", "abort"])
def test_an_object_between_the_fingers_is_no_failure(connection: Connection, how: str) -> None:
    connection.action.command(CLOSED)
    connection.hand.wait_for("accept 0")
    connection.end(how, 0.025)
    assert connection.action.trouble() is None
    connection.action.command(OPEN)
    connection.hand.wait_for("accept 0", "accept 0.04")


def test_fingers_that_do_not_open_are_named(connection: Connection) -> None:
    connection.action.command(OPEN)
    connection.hand.wait_for("accept 0.04")
    connection.hand.end("abort", 0.012)
    detail = connection.trouble(Reason.GRIPPER_REFUSED)
    assert detail == f"/{NAME} gave up position 0.04; the fingers are at 0.012"
    assert connection.action.trouble() is None  # told once


def test_a_rejected_command_is_named_and_may_be_sent_again(connection: Connection) -> None:
    connection.hand.accepts = False
    connection.action.command(CLOSED)
    assert connection.trouble(Reason.GRIPPER_REFUSED) == f"/{NAME} rejected position 0"
    connection.hand.accepts = True
    connection.action.command(CLOSED)
    connection.hand.wait_for("reject 0", "accept 0")


def test_a_server_that_goes_is_named_and_gets_nothing_old_when_it_returns(connection: Connection) -> None:
    connection.action.command(CLOSED)
    connection.hand.wait_for("accept 0")
    connection.hand.stop()
    assert connection.trouble(Reason.GRIPPER_ABSENT) == f"/{NAME}"
    connection.action.command(0.5)
    connection.trouble(Reason.GRIPPER_ABSENT)
    connection.hand.start()
    connection.trouble(Reason.GRIPPER_ABSENT, None)
    connection.action.command(OPEN)
    connection.hand.wait_for("accept 0", "accept 0.04")


def test_a_server_that_does_not_answer_is_named_and_cancelled_when_it_does(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gripper_action, "ANSWER_TIMEOUT", 0.1)
    connection.hand.answering.clear()
    connection.action.command(CLOSED)
    assert connection.trouble(Reason.GRIPPER_REFUSED) == f"/{NAME} did not answer within 0.1 s"
    connection.hand.answering.set()
    connection.hand.wait_for("accept 0", "cancel 0")


# -- with the planner --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planner(
    interfaces: None, domain: int, sim: NodeProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("planner") / "planner_node.log"
    wanted = {"gripper_output": "action", "topics__gripper": NAME, "topics__robot_state": ROBOT_STATE}
    with Rig.start_planner(log, domain, **wanted, **FAST) as process:
        yield process
        assert process.returncode is None, f"the planner did not stay up:\n{process.output()}"


def test_the_planner_waits_for_the_hand_and_heeds_the_robots_mode(
    rig: Rig, link: Recorder, picture: np.ndarray
) -> None:
    hand, robot_state = Hand(link._node), optional_interfaces.franka_robot_state()
    mode_out = link._node.create_publisher(robot_state, ROBOT_STATE, 1)
    assert rig.request([picture], steps=[1], gripper=["closed"]).success
    assert f"nothing has come over /{ROBOT_STATE}" in rig.wait_for_reason("MOTION_NOT_ALLOWED").message
    reflex = robot_state(robot_mode=robot_state.ROBOT_MODE_REFLEX)
    status = link.publish_until(mode_out, reflex, lambda status: f"{ROBOT_STATE} says REFLEX" in status.message)
    assert status.reason == "MOTION_NOT_ALLOWED"
    assert status.state == PlanStatus.HOLDING and f"{ROBOT_STATE} says REFLEX" in status.message
    idle = robot_state(robot_mode=robot_state.ROBOT_MODE_IDLE)
    status = link.publish_until(mode_out, idle, lambda status: status.reason == "GRIPPER_ABSENT")
    assert f"/{NAME}" in status.message and not link.setpoints
    hand.start()
    hand.wait_for("accept 0")
    # It accepts, and moves nothing: the fingers are the simulator's.
    assert "told 1.00" in rig.wait_for_reason("GRIPPER_NOT_FOLLOWING").message
    hand.stop()
