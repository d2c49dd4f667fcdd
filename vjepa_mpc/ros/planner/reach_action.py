"""The ~/reach_goal action: goals that are followed to their end, with feedback and a result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.timer import Timer

from vjepa_mpc.action import ReachGoal
from vjepa_mpc.controller.step import Step
from vjepa_mpc.safety.reasons import State
from vjepa_mpc.safety.supervisor import Decision

Result = ReachGoal.Result


@dataclass(eq=False)
class _Session:
    """One accepted action goal on its way."""

    handle: ServerGoalHandle
    goal_id: int
    start: np.ndarray | None = None
    steps: dict[int, int] = field(default_factory=dict)
    energy: float = float("nan")
    timer: Timer | None = None


class ReachAction:
    """Keeps the one action goal that is being pursued, and ends it when the loop says how it went.

    rclpy runs a goal's execution in a callback until its end, which would occupy the executor for minutes. So goals
    are accepted and followed by events here, and "executed" only to hand over their result.

    Args:
        node: whose action.
        set_goal: takes a ReachGoal goal and a callback, which gets the goal's id or the reason for a refusal.
        clear_goal: drops the current goal if it has this id.
        position: where the end effector is, [3].
    """

    def __init__(
        self,
        node: Node,
        set_goal: Callable[[Any, Callable[[int, str], None]], None],
        clear_goal: Callable[[int], None],
        position: Callable[[], np.ndarray | None],
    ) -> None:
        self._node, self._set_goal, self._clear_goal, self._position = node, set_goal, clear_goal, position
        self._lock = threading.Lock()
        self._session: _Session | None = None
        self._server: ActionServer[Any, Any, Any] = ActionServer(
            node,
            ReachGoal,
            "~/reach_goal",
            execute_callback=lambda _: Result(),  # never used: see `_conclude`
            goal_callback=lambda _: GoalResponse.ACCEPT,  # a refusal at this point could not say why
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    # -- from the control loop --------------------------------------------------------------------------------------

    def planned(self, step: Step, seconds: float) -> None:
        """Send feedback on a step that is being carried out."""
        with self._lock:
            session = self._session
            if session is None or session.goal_id != step.goal_id:
                return
            self._note(session, step)
            session.steps[step.goal_index] = step.goal_step
            here = self._position()
            session.start = here if session.start is None else session.start
            feedback = ReachGoal.Feedback(sub_goal=step.goal_index, step=step.goal_step, energy=float(step.energy))
            feedback.action, feedback.plan_time = step.actions[0].tolist(), seconds
            if here is not None and session.start is not None:
                feedback.distance_moved = float(np.linalg.norm(here - session.start))
            session.handle.publish_feedback(feedback)

    def ended(self, goal_id: int, step: Step) -> None:
        """Every sub-goal has ended."""
        with self._lock:
            if self._session is not None and self._session.goal_id == goal_id:
                self._note(self._session, step)
        self._end(Result.SUCCEEDED, "every sub-goal has ended", goal_id)

    def decided(self, decision: Decision) -> None:
        """A fault ends the goal; what goes away by itself does not."""
        if decision.state == State.FAULT:
            self._end(Result.FAULT, f"{decision.reason.name}: {decision.message}")

    def superseded(self, by: int) -> None:
        """Another goal, or none (0), was set."""
        what = f"goal {by} was set" if by else "the goal was cleared"
        self._end(Result.SUPERSEDED if by else Result.CANCELLED, what)

    def deactivated(self) -> None:
        """The node was deactivated or is ending."""
        self._end(Result.FAULT, "the node was deactivated")

    # -- from clients -----------------------------------------------------------------------------------------------

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        timeout = handle.request.timeout
        if not 0.0 <= timeout < float("inf"):
            self._conclude(_Session(handle, 0), Result.REJECTED, f"timeout={timeout}: use seconds, or 0 for none")
            return
        self._set_goal(handle.request, lambda goal_id, refusal: self._begin(handle, goal_id, refusal))

    def _begin(self, handle: ServerGoalHandle, goal_id: int, refusal: str) -> None:
        session = _Session(handle, goal_id, start=self._position())
        if refusal:
            self._conclude(session, Result.REJECTED, refusal)
            return
        with self._lock:
            self._session = session
            if handle.request.timeout > 0.0:
                session.timer = self._node.create_timer(handle.request.timeout, lambda: self._time_out(session))
        if handle.is_cancel_requested:  # while the pictures were being decoded
            self._cancel(session)

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        with self._lock:
            session = self._session
        if session is not None and session.handle is handle:
            self._cancel(session)
        return CancelResponse.ACCEPT

    def _cancel(self, session: _Session) -> None:
        self._end(Result.CANCELLED, "cancelled by the client", session.goal_id)
        self._clear_goal(session.goal_id)

    def _time_out(self, session: _Session) -> None:
        self._end(Result.TIMED_OUT, f"timeout={session.handle.request.timeout} s passed", session.goal_id)
        self._clear_goal(session.goal_id)

    # -- how it ends ------------------------------------------------------------------------------------------------

    def _note(self, session: _Session, step: Step) -> None:
        session.energy = float(step.energy)
        for end in step.ended:
            session.steps[end.index] = end.steps

    def _end(self, code: int, message: str, goal_id: int | None = None) -> None:
        with self._lock:
            session = self._session
            if session is None or (goal_id is not None and session.goal_id != goal_id):
                return
            self._session = None
        if session.timer is not None:
            self._node.destroy_timer(session.timer)
        self._conclude(session, code, message)

    def _conclude(self, session: _Session, code: int, message: str) -> None:
        steps = [session.steps.get(index, 0) for index in range(max(session.steps, default=-1) + 1)]
        result = Result(code=code, message=message, final_energy=session.energy, steps_per_sub_goal=steps)
        result.success = code == Result.SUCCEEDED

        def hand_over(handle: ServerGoalHandle) -> ReachGoal.Result:
            if result.success:
                handle.succeed()
            elif handle.is_cancel_requested:
                handle.canceled()
            else:
                handle.abort()
            return result

        session.handle.execute(hand_over)
