"""The planner node's services: ~/set_goal, ~/clear_goal, ~/pause and ~/resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.ros.common.names import in_full
from vjepa_mpc.ros.common.process import Awaited
from vjepa_mpc.ros.planner.goal_setter import GoalSetter
from vjepa_mpc.ros.planner.wiring import Wiring
from vjepa_mpc.safety.reasons import Effect, Reason
from vjepa_mpc.srv import SetGoal


class Services:
    """Passes requests on to the goal setter and the control loop.

    Args:
        node: whose services.
        goals: sets and clears goals.
        wiring: gives what there is while the node is configured; None while it is not.
    """

    def __init__(self, node: Node, goals: GoalSetter, wiring: Callable[[], Wiring | None]) -> None:
        self._node, self._goals, self._wiring = node, goals, wiring
        # Its callback waits for the decoder; a group of its own keeps the others running meanwhile.
        node.create_service(SetGoal, "~/set_goal", self._on_set_goal, callback_group=ReentrantCallbackGroup())
        node.create_service(Trigger, "~/clear_goal", self._on_clear_goal)
        node.create_service(SetBool, "~/pause", self._on_pause)
        node.create_service(Trigger, "~/resume", self._on_resume)

    async def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        outcome: Awaited[tuple[int, str]] = Awaited(self._node)
        self._goals.set(request, lambda goal_id, refusal: outcome.bring((goal_id, refusal)))
        response.goal_id, refusal = await outcome.future  # type: ignore[misc]  # rclpy types it as if it could be None
        response.success = not refusal
        response.message = refusal or f"goal {response.goal_id} is set{self._outlook()}"
        return response

    def _on_clear_goal(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, self._clear_goal)

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        return self._with_loop(response, self._pause if request.data else self._unpause)

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, self._resume)

    def _with_loop(self, response: Any, act: Callable[[ControlLoop], tuple[bool, str]]) -> Any:
        wiring = self._wiring()
        if wiring is None:
            response.success, response.message = False, self._goals.not_configured()
        else:
            response.success, response.message = act(wiring.loop)
        return response

    # -- what is done, whether it could be, and what will come of it ------------------------------------------------

    def _clear_goal(self, loop: ControlLoop) -> tuple[bool, str]:
        loop.call(self._goals.clear, loop)
        return True, "no goal is set any more"

    def _pause(self, loop: ControlLoop) -> tuple[bool, str]:
        if not _active(loop):  # a pause would not outlast the activation
            return False, f"not paused{self._outlook()} Pause again once it is active."
        loop.call(loop.pause)
        return True, in_full("paused; false, or ~/resume, goes on", self._node)

    def _unpause(self, loop: ControlLoop) -> tuple[bool, str]:
        loop.call(loop.unpause)
        return True, f"not paused{self._outlook()}"

    def _resume(self, loop: ControlLoop) -> tuple[bool, str]:
        if not _active(loop):
            return False, f"nothing to resume{self._outlook()}"
        ended, outlook = loop.call(loop.resume), self._outlook()
        if ended is not None:
            return True, f"{ended.name} is over{outlook or ': going on from the measured pose'}"
        return not outlook, f"there was no fault and no pause to end{outlook or '; the arm is on its way'}"

    def _outlook(self) -> str:
        """What will happen, for the end of an answer; empty while the arm follows a goal."""
        reason, words = self._goals.rest()
        alone = (
            " It goes on by itself once that is over." if reason is not None and reason.effect is Effect.HOLDS else ""
        )
        return f"; the arm does not move: {words}{alone}" if words else ""


def _active(loop: ControlLoop) -> bool:
    return loop.call(loop.judge).reason not in (Reason.NO_WORKSPACE, Reason.NOT_ACTIVE)
