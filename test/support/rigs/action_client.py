"""A client of ~/reach_goal that waits with events."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from rclpy.action import ActionClient
from sensor_msgs.msg import CompressedImage
from vjepa_mpc.action import ReachGoal

from support.rig import Recorder
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.common.process import executor_of


class Client:
    """The recorder's thread spins it."""

    def __init__(self, link: Recorder) -> None:
        # On the thread that spins: rclpy adds a client to what is waited for before it is whole.
        making = executor_of(link._node).create_task(ActionClient, link._node, ReachGoal, "planner_node/reach_goal")
        self._client: ActionClient[Any, Any, Any] = wait(making)
        assert self._client.wait_for_server(30.0)

    def send(self, *images: np.ndarray, **fields: Any) -> tuple[Any, list[Any]]:
        """An accepted goal's handle, and the list that its feedback is collected in."""
        pictures = [CompressedImage(format="png", data=encode_png(image)) for image in images]
        feedback: list[Any] = []
        future = self._client.send_goal_async(
            ReachGoal.Goal(images=pictures, **fields),
            feedback_callback=lambda message: feedback.append(message.feedback),
        )
        handle = wait(future)
        assert handle.accepted
        return handle, feedback

    def destroy(self) -> None:
        """End the client."""
        self._client.destroy()


def wait(future: Any, timeout: float = 60.0) -> Any:
    """The result of a future that another thread completes."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout), "no answer"
    return future.result()


def result_of(handle: Any) -> tuple[int, Any]:
    """Final state and result of a goal."""
    answer = wait(handle.get_result_async())
    return answer.status, answer.result
