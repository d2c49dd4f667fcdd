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
from vjepa_mpc.goals.progress import Outcome
from vjepa_mpc.ros.common.process import Awaited
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.planner.goal_setter import GoalSetter
from vjepa_mpc.safety.reasons import State
from vjepa_mpc.safety.supervisor import Decision

Result = ReachGoal.Result
OUTCOMES = {
    Outcome.REACHED: Result.SUCCEEDED,
    Outcome.NEARER: Result.NOT_REACHED,
    Outcome.NO_NEARER: Result.NO_NEARER,
}
PURSUED_TO_THE_END = (Result.SUCCEEDED, Result.NOT_REACHED)  # what ROS calls a success; the result tells them apart
MAX_TIMEOUT = 1e7  # seconds, 115 days; timers count nanoseconds in 64 bits


@dataclass(eq=False)
class _Session:
    """One accepted action goal on its way; ``goal_id`` is None until its pictures are decoded and it is pursued."""

    handle: ServerGoalHandle
    outcome: Awaited[ReachGoal.Result]
    goal_id: int | None = None
    start: np.ndarray | None = None
    steps: dict[int, int] = field(default_factory=dict)
    energy: float = float("nan")
    timer: Timer | None = None


class ReachAction:
    """Keeps the action goals that are on their way, and ends them when the loop says how they went.

    One is pursued at a time; others may be at the decoder. An action goal that was ended for any reason is dropped:
    only a new one moves the arm again.

    Args:
        node: whose action.
        goals: sets and clears goals.
    """

    def __init__(self, node: Node, goals: GoalSetter) -> None:
        self._node, self._goals = node, goals
        self._changed = threading.Condition(threading.RLock())  # a goal that is being begun may end another
        self._sessions: list[_Session] = []
        self._concluding = 0  # goals whose clients have not been told yet
        self._server: ActionServer[Any, Any, Any] = ActionServer(
            node,
            ReachGoal,
            "~/reach_goal",
            execute_callback=lambda _: Result(),  # never used: `_on_accepted` gives one for each goal
            goal_callback=lambda _: GoalResponse.ACCEPT,  # a refusal at this point could not say why
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    def wait_concluded(self, timeout: float) -> None:
        """Until the clients of all goals that have ended are told, or seconds have passed; not on the executor."""
        with self._changed:
            self._changed.wait_for(lambda: not self._concluding, timeout)

    # -- from the control loop --------------------------------------------------------------------------------------

    def planned(self, step: Step, seconds: float) -> None:
        """Send feedback on a step that is being carried out."""
        with self._changed:
            session = self._pursued(step.goal_id)
            if session is None:
                return
            self._note(session, step)
            session.steps[step.goal_index] = step.goal_step
            here = self._goals.position()
            session.start = here if session.start is None else session.start
            feedback = ReachGoal.Feedback(sub_goal=step.goal_index, step=step.goal_step, energy=float(step.energy))
            feedback.action, feedback.plan_time = step.actions[0].tolist(), seconds
            if here is not None and session.start is not None:
                feedback.distance_moved = float(np.linalg.norm(here - session.start))
            session.handle.publish_feedback(feedback)

    def ended(self, goal_id: int, step: Step) -> None:
        """Every sub-goal has ended."""
        with self._changed:
            session = self._pursued(goal_id)
            if session is not None:
                self._note(session, step)
                self._end(session, _code(step), step.how_it_ended)

    def decided(self, decision: Decision) -> None:
        """A fault ends the goal for good; what goes away by itself does not."""
        if decision.state != State.FAULT:
            return
        for session in self._list():
            if session.goal_id is not None:
                self._end(session, Result.FAULT, self._goals.words(decision))
                self._goals.clear_if_current(session.goal_id)

    def superseded(self, by: int) -> None:
        """Another goal, or none (0), was set."""
        what = f"goal {by} was set" if by else "the goal was cleared"
        for session in self._list():
            if session.goal_id not in (None, by):
                self._end(session, Result.SUPERSEDED if by else Result.CANCELLED, what)

    def deactivated(self) -> None:
        """The node was deactivated or is ending, and has dropped its goal."""
        for session in self._list():
            self._end(session, Result.FAULT, "the node was deactivated")

    # -- from clients -----------------------------------------------------------------------------------------------

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        session = _Session(handle, Awaited(self._node))
        with self._changed:
            self._sessions.append(session)
            self._concluding += 1

        async def conclude(_: ServerGoalHandle) -> Any:  # rclpy tells by `async` that it has to wait
            return await self._conclude(session)

        handle.execute(conclude)
        timeout = handle.request.timeout
        if not 0.0 <= timeout <= MAX_TIMEOUT:
            text = f"timeout={timeout}: use seconds up to {MAX_TIMEOUT:g}, or 0 for none"
            self._end(session, Result.REJECTED, text)
            return
        if timeout > 0.0:
            session.timer = steady_timer(self._node, timeout, lambda: self._time_out(session))
        self._goals.set(
            handle.request,
            lambda _, refusal: self._end(session, Result.REJECTED, refusal) if refusal else None,
            lambda pursue: self._begin(session, pursue),
        )

    def _begin(self, session: _Session, pursue: Callable[[], int]) -> int:
        """Pursue a goal whose pictures are decoded, unless it was ended meanwhile; on the control loop's thread."""
        with self._changed:
            if session not in self._sessions:
                raise ValueError("it was cancelled or timed out before its pictures were decoded")
            session.start = self._goals.position()
            session.goal_id = pursue()
            return session.goal_id

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        for session in self._list():
            if session.handle is handle:
                self._end(session, Result.CANCELLED, "cancelled by the client")
                self._clear(session)
        return CancelResponse.ACCEPT

    def _time_out(self, session: _Session) -> None:
        _, why = self._goals.rest()
        while_held = f" while the arm did not move: {why}" if why else ""
        self._end(session, Result.TIMED_OUT, f"timeout={session.handle.request.timeout} s passed{while_held}")
        self._clear(session)

    def _clear(self, session: _Session) -> None:
        if session.goal_id is not None:
            self._goals.clear_if_current(session.goal_id)

    # -- how it ends ------------------------------------------------------------------------------------------------

    def _list(self) -> list[_Session]:
        with self._changed:
            return list(self._sessions)

    def _pursued(self, goal_id: int) -> _Session | None:
        return next((session for session in self._sessions if session.goal_id == goal_id), None)

    def _note(self, session: _Session, step: Step) -> None:
        session.energy = float(step.energy)
        for end in step.ended:
            session.steps[end.index] = end.steps

    def _end(self, session: _Session, code: int, message: str) -> None:
        """Decide how a goal went, once; on any thread."""
        with self._changed:
            if session not in self._sessions:
                return
            self._sessions.remove(session)
        if session.timer is not None:
            self._node.destroy_timer(session.timer)
        steps = [session.steps.get(index, 0) for index in range(max(session.steps, default=-1) + 1)]
        result = Result(code=code, message=message, final_energy=session.energy, steps_per_sub_goal=steps)
        result.success = code == Result.SUCCEEDED
        session.outcome.bring(result)

    async def _conclude(self, session: _Session) -> Any:
        """A goal's execution: on the executor, which serves others while this waits for the outcome."""
        result: Any = await session.outcome.future  # rclpy types it as if it could be None
        if result.code in PURSUED_TO_THE_END:
            session.handle.succeed()
        elif session.handle.is_cancel_requested:
            session.handle.canceled()
        else:
            session.handle.abort()
        with self._changed:
            self._concluding -= 1
            self._changed.notify_all()
        return result


def _code(step: Step) -> int:
    """How a finished goal went: as its last sub-goal did; a controller that tells nothing of sub-goals has done it."""
    code: int = OUTCOMES[step.ended[-1].outcome] if step.ended else Result.SUCCEEDED
    return code
