"""Gripper commands as goals of an action, as franka_gripper and ros2_control's gripper controllers take them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.lifecycle import LifecycleNode

from vjepa_mpc.drivers.franka.settings import HandSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.motion.fingers import NOT_OPENED, STILL_OPEN
from vjepa_mpc.options import check_options, option
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.outputs.interface import GripperOutput
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason

ANSWER_TIMEOUT = 2.0  # seconds that a server may take to accept or cancel, not to move the fingers


@dataclass(eq=False)
class _Goal:
    """A command on its way; the handle comes with the server's acceptance."""

    closedness: float
    asked_at: float | None  # since when the server owes an answer, steady seconds
    handle: ClientGoalHandle[Any, Any, Any] | None = None
    cancelling: bool = False


class GripperAction(GripperOutput):
    """Commands a gripper by goals of ``control_msgs/action/GripperCommand``; the newest command counts.

    A goal's position is that of a finger joint, as franka_gripper and ros2_control's gripper controllers take it, and
    not the gap between two fingers, of which the message's comment speaks.

    A goal that is overtaken is cancelled, and the newer one is sent when it has ended: some servers carry out two goals
    at once, and stop the new motion when the old goal is cancelled.

    A goal that fails tells little. Servers abort it when an object keeps the fingers apart, and that is what grasping
    is. Only fingers that stay more closed than told, or fully open, have not done what they should.

    `command` and `trouble` belong to the control loop's thread; all else happens on the executor's.

    Raises:
        MissingInterfaceError: control_msgs is not installed.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """Each becomes a parameter with ``gripper_`` in front."""

        max_effort: float = option(
            HandSettings.force,
            "Force that a GripperCommand action holds an object with; 0: the server's choice.",
            unit="N",
            low=0.0,
            high=1e3,
        )

        def __post_init__(self) -> None:
            check_options(self)

    def __init__(self, node: LifecycleNode, name: str, finger: GripperJoint, options: Options) -> None:
        self._node, self._finger, self._max_effort = node, finger, options.max_effort
        self._kind = optional_interfaces.gripper_command()
        self._client: ActionClient[Any, Any, Any] = ActionClient(node, self._kind, name)
        self._name = node.resolve_service_name(name)
        self._lock = threading.Lock()
        self._wanted: float | None = None  # not sent yet
        self._goal: _Goal | None = None
        self._failure = ""
        self._news = node.create_guard_condition(self._proceed)

    @classmethod
    def require(cls) -> None:
        """See to it that control_msgs is installed."""
        optional_interfaces.gripper_command()

    def command(self, closedness: float) -> None:
        """Have the fingers go to a closedness."""
        with self._lock:
            self._wanted = closedness
        self._news.trigger()

    def trouble(self) -> Violation | None:
        """That nobody serves the action, or once that a command was not carried out."""
        ready = self._client.server_is_ready()
        with self._lock:
            if not ready:
                self._forget()
                return Violation(Reason.GRIPPER_ABSENT, self._name)
            asked_at = None if self._goal is None else self._goal.asked_at
            if asked_at is not None and time.monotonic() - asked_at > ANSWER_TIMEOUT:
                self._forget()
                self._failure = f"{self._name} did not answer within {ANSWER_TIMEOUT:g} s"
            failure, self._failure = self._failure, ""
        return Violation(Reason.GRIPPER_REFUSED, failure) if failure else None

    def _forget(self) -> None:
        """What was on its way is lost, and what was wanted must not be sent long after that."""
        self._wanted = self._goal = None

    def destroy(self) -> None:
        """End the client."""
        self._node.destroy_guard_condition(self._news)
        self._client.destroy()

    def _proceed(self) -> None:
        """Send what is wanted, as soon as nothing else is on its way."""
        with self._lock:
            if self._wanted is None:
                return
            overtaken = self._goal
            if overtaken is None:
                goal = self._goal = _Goal(self._wanted, asked_at=time.monotonic())
                self._wanted = None
        if overtaken is None:
            request = self._kind.Goal()
            request.command.position = self._finger.position(goal.closedness)
            request.command.max_effort = self._max_effort
            answer = self._client.send_goal_async(request)
            answer.add_done_callback(lambda done: self._on_answer(goal, done.result()))
        elif overtaken.handle is not None and not overtaken.cancelling:
            overtaken.cancelling, overtaken.asked_at = True, time.monotonic()
            cancelled = overtaken.handle.cancel_goal_async()
            cancelled.add_done_callback(lambda done: self._on_cancel(overtaken, done.result()))

    def _on_answer(self, goal: _Goal, handle: ClientGoalHandle[Any, Any, Any] | None) -> None:
        if handle is None or not handle.accepted:
            self._end(goal, f"{self._name} rejected position {self._finger.position(goal.closedness):g}")
            return
        if self._goal is not goal:  # too late
            handle.cancel_goal_async()
            return
        goal.handle, goal.asked_at = handle, None
        handle.get_result_async().add_done_callback(lambda done: self._on_end(goal, done.result()))
        self._proceed()

    def _on_cancel(self, goal: _Goal, answer: Any) -> None:
        if not answer.goals_canceling:  # it does not cancel, so it has to cope with two goals; or the goal is over
            self._end(goal)

    def _on_end(self, goal: _Goal, answer: Any) -> None:
        failed = answer.status != GoalStatus.STATUS_SUCCEEDED
        closedness = self._finger.closedness(answer.result.position)
        not_closed = closedness < STILL_OPEN and goal.closedness > closedness + NOT_OPENED
        if failed and (not_closed or closedness > goal.closedness + NOT_OPENED):
            told = self._finger.position(goal.closedness)
            self._end(goal, f"{self._name} gave up position {told:g}; the fingers are at {answer.result.position:g}")
        else:
            self._end(goal)

    def _end(self, goal: _Goal, failure: str = "") -> None:
        with self._lock:
            if self._goal is not goal:  # given up meanwhile
                return
            self._goal = None
            if self._wanted is None:  # otherwise that counts
                self._failure = failure
        self._proceed()
