"""Sets the goals that a service or an action asks for. Their pictures are decoded on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from rclpy.node import Node

from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.picture import PictureChecks
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.loop.control_loop import ControlLoop, RefusedError
from vjepa_mpc.loop.job_queue import StoppedError
from vjepa_mpc.ros.planner.goal_intake import sub_goals
from vjepa_mpc.ros.planner.wiring import Wiring
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.supervisor import Decision

Answer = Callable[[int, str], None]
"""Gets a goal's id, or 0 and why it was refused."""
Begin = Callable[[Callable[[], int]], int]
"""Calls what pursues a decoded goal, and returns the goal's id; on the control loop's thread."""


class GoalSetter:
    """From requests to goals of the control loop.

    Args:
        node: for its log.
        wiring: gives what there is while the node is configured; None while it is not.
        endings: gives what ends sub-goals for which a request names nothing else.
        checks: gives what is asked of goal pictures.
        superseded: called on the control loop's thread with the goal, or 0 for none, that replaces the one before.
        shut_down: whether the node's life cycle has ended.
    """

    def __init__(
        self,
        node: Node,
        wiring: Callable[[], Wiring | None],
        endings: Callable[[], tuple[Ending, ...]],
        checks: Callable[[], PictureChecks],
        superseded: Callable[[int], None],
        shut_down: Callable[[], bool],
    ) -> None:
        self._node, self._wiring, self._endings, self._checks = node, wiring, endings, checks
        self._superseded, self._shut_down = superseded, shut_down
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="goal decoder")

    def set(self, request: Any, answer: Answer, begin: Begin = lambda pursue: pursue()) -> None:
        """Decode and set a goal of SetGoal or ReachGoal; ``answer`` is called on any thread.

        ``begin`` may raise a ValueError instead, when nobody wants the goal any more.
        """
        wiring = self._wiring()
        if wiring is None:
            answer(0, self.not_configured())
            return
        try:
            image = _camera_image(wiring, current=request.use_current_image)
        except (ValueError, StoppedError) as error:
            self._refuse(str(error), answer)
            return
        decoding = self._decoder.submit(sub_goals, request, image, self._endings(), self._checks())
        decoding.add_done_callback(lambda done: self._on_decoded(wiring, done, answer, begin))

    def clear(self, loop: ControlLoop) -> None:
        """Have no goal; on the control loop's thread."""
        loop.clear_goal()
        self._superseded(0)

    def clear_if_current(self, goal_id: int) -> None:
        """Have no goal, if this is the present one; whoever calls has told its client."""
        wiring = self._wiring()
        if wiring is not None:
            loop = wiring.loop
            with suppress(StoppedError):  # then there is no goal either
                loop.call(lambda: loop.clear_goal() if loop.goal_id == goal_id else None)

    def not_configured(self) -> str:
        """Why there is nothing that could have a goal, and what to do."""
        if self._shut_down():
            return "the planner is shut down for good: start the node again"
        command = f"ros2 lifecycle set {self._node.get_fully_qualified_name()}"
        return f"the planner is not configured: run `{command} configure` and `{command} activate`"

    def rest(self) -> tuple[Reason | None, str]:
        """Why the arm does not move now, and name and words of that; None and empty while it follows a goal."""
        wiring = self._wiring()
        if wiring is None:
            return None, self.not_configured()
        try:
            decision = wiring.loop.call(wiring.loop.judge)
        except StoppedError as error:
            return None, str(error)
        if decision.state in (State.PLANNING, State.EXECUTING):
            return None, ""
        return decision.reason, _words(wiring, decision)

    def words(self, decision: Decision) -> str:
        """The name of a decision's reason, and what it means in words for people."""
        wiring = self._wiring()
        return self.not_configured() if wiring is None else _words(wiring, decision)

    def position(self) -> np.ndarray | None:
        """Where the end effector is, [3] in metres; None while nobody says."""
        wiring = self._wiring()
        pose = None if wiring is None else wiring.inputs.pose
        return None if pose is None else pose.position

    def camera_image(self) -> Any:
        """The camera's newest message.

        Raises:
            ValueError: there is none, or it is no current one; or the node is not configured.
            StoppedError: the planner is ending.
        """
        wiring = self._wiring()
        if wiring is None:
            raise ValueError(self.not_configured())
        return _camera_image(wiring, current=True)

    def close(self) -> None:
        """Decode nothing more."""
        self._decoder.shutdown(wait=False, cancel_futures=True)

    def _on_decoded(self, wiring: Wiring, decoding: Future[tuple[SubGoal, ...]], answer: Answer, begin: Begin) -> None:
        try:
            goals = decoding.result()
            goal_id = wiring.loop.call(begin, lambda: self._pursue(wiring.loop, goals))
        except RefusedError as error:
            self._refuse(f"no goal is taken in this state: {_words(wiring, error.decision)}", answer)
            return
        except Exception as error:
            self._refuse(str(error), answer)
            return
        self._node.get_logger().info(f"goal {goal_id}: {len(goals)} sub-goals")
        answer(goal_id, "")
        wiring.outputs.goal(goal_id, goals)

    def _refuse(self, why: str, answer: Answer) -> None:
        self._node.get_logger().warning(f"goal refused: {why}")
        answer(0, why)

    def _pursue(self, loop: ControlLoop, goals: tuple[SubGoal, ...]) -> int:
        goal_id = loop.set_goal(goals)
        self._superseded(goal_id)
        return goal_id


def _words(wiring: Wiring, why: Decision | Violation) -> str:
    return f"{why.reason.name}: {wiring.inputs.explain(why)}"


def _camera_image(wiring: Wiring, *, current: bool) -> Any | None:
    """The camera's newest message; None while there is none.

    Args:
        wiring: where it comes in.
        current: it is to be the goal, so it has to show how things are now.

    Raises:
        ValueError: it cannot be the goal.
        StoppedError: the planner is ending.
    """
    image = wiring.inputs.image
    if current and image is None:
        raise ValueError("no camera image has arrived yet: check the image topic, or give a picture")
    if current and (trouble := wiring.loop.call(wiring.loop.image_trouble)) is not None:
        raise ValueError(f"the camera's newest image is no current one, so it is no goal. {_words(wiring, trouble)}")
    return None if image is None else image[1]
