"""How the page has things done: through the planner's services, its permission topic and its parameters."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from vjepa_mpc.dashboard.commands import Answer
from vjepa_mpc.dashboard.landscape import Landscapes
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.goals.folder import PictureGoal
from vjepa_mpc.ros.common.process import executor_of
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.dashboard.graph import subscriptions_of
from vjepa_mpc.ros.dashboard.tuning import Tuning
from vjepa_mpc.srv import GetImage, SetGoal

PERMISSION = "std_msgs/msg/Bool"
PATIENCE = 30.0  # seconds for an answer
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Asking:
    """What is clicked, carried out on the executor's thread; see :class:`~vjepa_mpc.dashboard.commands.Commands`.

    HOLD says ``false`` on the planner's ``~/motion_allowed``, which holds the arm in every state, also in one that the
    planner has yet to reach. It is said again and again, so that a planner that is started anew hears it, too. Nothing
    is said there before HOLD is used for the first time: the page has no say in motion that it did not ask for.

    Args:
        node: which asks.
        planner: full name of the planner.
        seen: where HOLD is noted.
        tuning: changes parameters.
    """

    def __init__(self, node: Node, planner: str, seen: Seen, tuning: Tuning) -> None:
        self._node, self._planner, self._seen, self._tuning = node, planner, seen, tuning
        self._landscapes = Landscapes(seen)
        self._permissions: dict[str, Any] = {}  # publishers by topic
        self._clients: dict[str, Any] = {
            name: node.create_client(kind, f"{planner}/{name}")
            for name, kind in (
                ("set_goal", SetGoal),
                ("clear_goal", Trigger),
                ("pause", SetBool),
                ("resume", Trigger),
                ("get_image", GetImage),
            )
        }

    def hold(self, answer: Answer) -> None:
        """See Commands."""
        self._seen.held = True
        self._on_executor(lambda: self._allow(answer, "HOLD: the arm may not move until it is released here"))

    def release(self, answer: Answer) -> None:
        """See Commands."""
        self._seen.held = False
        self._on_executor(lambda: self._allow(answer, "HOLD is released"))

    def pause(self, answer: Answer) -> None:
        """See Commands."""
        self._call("pause", SetBool.Request(data=True), answer)

    def resume(self, answer: Answer) -> None:
        """See Commands."""
        self._call("resume", Trigger.Request(), answer)

    def clear(self, answer: Answer) -> None:
        """See Commands."""
        self._call("clear_goal", Trigger.Request(), answer)

    def start(self, goals: Sequence[PictureGoal], answer: Answer) -> None:
        """See Commands."""
        request = SetGoal.Request(gripper=[goal.gripper for goal in goals])
        request.images = [CompressedImage(format=goal.format, data=array("B", goal.picture)) for goal in goals]
        self._on_executor(lambda: self._send_goal(request, [goal.steps for goal in goals], answer))

    def look(self, taken: Callable[[bytes], None], answer: Answer) -> None:
        """See Commands."""

        def on_picture(response: Any) -> None:
            if response.success:
                taken(bytes(response.image.data))
            else:
                answer(False, response.message)

        self._on_executor(lambda: self._ask("get_image", GetImage.Request(), on_picture, answer))

    def landscape(self, shown: Callable[[np.ndarray], None], answer: Answer) -> None:
        """See Commands."""
        self._landscapes.draw(shown, answer)

    def tune(self, name: str, value: bool | int | float | str, answer: Answer) -> None:
        """See Commands."""
        self._on_executor(lambda: self._tuning.set(name, value, answer))

    def repeat(self) -> None:
        """Say again what was said about motion; on the executor's thread."""
        if self._seen.held is None:
            return
        for topic in self._permission_topics():
            if topic not in self._permissions:
                self._permissions[topic] = self._node.create_publisher(Bool, topic, _LATCHED)
        for publisher in self._permissions.values():
            publisher.publish(Bool(data=not self._seen.held))

    # -- on the executor's thread -----------------------------------------------------------------------------------

    def _on_executor(self, act: Callable[[], None]) -> None:
        executor_of(self._node).create_task(act)

    def _allow(self, answer: Answer, words: str) -> None:
        self.repeat()
        topics = " and ".join(self._permissions)
        heard = any(map(self._node.count_subscribers, self._permissions))
        nobody = f"; nobody listens on {topics} yet, so it will hold as soon as the planner does"
        answer(True, words + ("" if heard or not self._seen.held else nobody))

    def _permission_topics(self) -> list[str]:
        """Where the planner listens for permission, however remapped; its usual name while it is not there."""
        found = subscriptions_of(self._node, self._planner)
        return [topic for topic, kinds in found if PERMISSION in kinds] or [f"{self._planner}/motion_allowed"]

    def _send_goal(self, request: SetGoal.Request, steps: Sequence[int | None], answer: Answer) -> None:
        """With the planner's own budget where none was given; all or none are told."""
        own = self._tuning.value("goal.steps")
        if any(steps):
            if own is None and not all(steps):
                answer(False, "the planner has not told goal.steps yet: give every sub-goal a number of steps")
                return
            request.steps = [each or int(own) for each in steps]
        self._ask("set_goal", request, lambda response: answer(response.success, response.message), answer)

    def _call(self, name: str, request: Any, answer: Answer) -> None:
        def on_response(response: Any) -> None:
            answer(response.success, response.message)

        self._on_executor(lambda: self._ask(name, request, on_response, answer))

    def _ask(self, name: str, request: Any, on_response: Callable[[Any], None], answer: Answer) -> None:
        client = self._clients[name]
        if not client.service_is_ready():
            answer(False, f"nobody offers {client.srv_name}: does the planner run?")
            return
        future = client.call_async(request)
        timer: Any = None

        def on_done(done: Any) -> None:
            self._node.destroy_timer(timer)
            if not done.cancelled():
                on_response(done.result())

        def on_late() -> None:
            self._node.destroy_timer(timer)
            client.remove_pending_request(future)
            future.cancel()
            answer(False, f"no answer from {client.srv_name} within {PATIENCE:.0f} s: see the planner's log")

        timer = steady_timer(self._node, PATIENCE, on_late)
        future.add_done_callback(on_done)
