"""The planner node's services: ~/set_goal, ~/clear_goal, ~/pause and ~/resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.ros.common.process import executor_of
from vjepa_mpc.ros.planner.goal_setter import NOT_CONFIGURED, GoalSetter
from vjepa_mpc.ros.planner.wiring import Wiring
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
        executor = executor_of(self._node)
        outcome: Future[tuple[int, str]] = Future(executor=executor)

        def answer(goal_id: int, refusal: str) -> None:
            outcome.set_result((goal_id, refusal))
            executor.wake()  # it looks at waiting callbacks only when something happens

        self._goals.set(request, answer)
        response.goal_id, refusal = await outcome  # type: ignore[misc]  # rclpy types it as if it could be None
        response.success = not refusal
        response.message = refusal or f"goal {response.goal_id} is set"
        return response

    def _on_clear_goal(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, "no goal is set any more", self._goals.clear)

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            return self._with_loop(response, "paused; false, or ~/resume, goes on", ControlLoop.pause)
        return self._with_loop(response, "not paused", ControlLoop.unpause)

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, "going on from the measured pose", ControlLoop.resume)

    def _with_loop(self, response: Any, message: str, job: Callable[[ControlLoop], Any]) -> Any:
        wiring = self._wiring()
        response.success, response.message = wiring is not None, message if wiring is not None else NOT_CONFIGURED
        if wiring is not None:
            wiring.loop.call(job, wiring.loop)
        return response
