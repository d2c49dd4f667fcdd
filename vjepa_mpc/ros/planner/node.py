"""The planner as a ROS 2 lifecycle node: goal images in, set-points out. Run by the executable ``planner_node``.

A thin shell. Threads: the executor's, whose callbacks store messages and pass requests on; the control loop's, which
alone decides and moves (:mod:`~vjepa_mpc.loop.control_loop`); the planner's, which computes; and one that decodes
goal pictures.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.planning import Ranks
from vjepa_mpc.ros.common import optional_interfaces, process
from vjepa_mpc.ros.common.optional_interfaces import MissingInterfaceError
from vjepa_mpc.ros.outputs.publishers import Outputs
from vjepa_mpc.ros.parameters import settings as parameters
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.ros.planner import diagnostics
from vjepa_mpc.ros.planner.goal_intake import sub_goals
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.ros.planner.model import make_controller
from vjepa_mpc.ros.planner.ranks import joined, plan_along
from vjepa_mpc.ros.planner.reach_action import ReachAction
from vjepa_mpc.srv import SetGoal
from vjepa_mpc.worldmodel import bundled_model_path

DIAGNOSTICS_PERIOD = 1.0  # seconds
STOP_TIMEOUT = 3.0  # seconds; ros2 launch escalates to SIGTERM after five
NOT_CONFIGURED = "the planner is not configured: run `ros2 lifecycle set <node> configure` and `activate`"


class PlannerNode(LifecycleNode):
    """Parameters, services, action and lifecycle around the control loop."""

    def __init__(self, ranks: Ranks | None = None) -> None:
        super().__init__("planner_node")
        self._ranks = ranks
        self._loop: ControlLoop | None = None
        self._inputs: Inputs | None = None
        self._outputs: Outputs | None = None
        self._ending = False
        self._settings = parameters.declare(self, self._lock_reason, self._on_settings)
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="goal decoder")
        # Its callback waits for the decoder; a group of its own keeps the others running meanwhile.
        self.create_service(SetGoal, "~/set_goal", self._on_set_goal, callback_group=ReentrantCallbackGroup())
        self.create_service(Trigger, "~/clear_goal", self._on_clear_goal)
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/resume", self._on_resume)
        self._reach = ReachAction(self, self._set_goal, self._clear_if_current, self._position)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_timer(DIAGNOSTICS_PERIOD, self._publish_diagnostics)

    def start(self) -> None:
        """Configure and activate, if the parameters want it; the node stays up when that fails."""
        if self._settings.snapshot.autostart:
            # On the executor's thread, like every transition: it must not look at what is being made or destroyed.
            self.executor.create_task(self._autostart)

    def _autostart(self) -> None:
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def stop(self) -> bool:
        """Bring the arm to rest and end all threads; publishers and subscriptions end with the process."""
        self._ending = True
        loop, self._loop = self._loop, None
        self._reach.deactivated()
        clean = loop is None or loop.stop(STOP_TIMEOUT)
        self._decoder.shutdown(wait=False, cancel_futures=True)
        return clean

    # -- lifecycle --------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the world model and connect the inputs."""
        settings = self._settings.snapshot
        self.get_logger().info(f"loading the world model {settings.model.checkpoint or bundled_model_path()}")
        started = time.monotonic()
        try:
            optional_interfaces.check(settings)
        except MissingInterfaceError as error:
            self.get_logger().error(f"not configured: {error}")
            return TransitionCallbackReturn.FAILURE
        try:
            controller = make_controller(settings, self._ranks)
        except Exception as error:  # rclpy drops exceptions of transitions without a word
            self.get_logger().error(f"cannot load the world model: {error}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"world model loaded in {time.monotonic() - started:.1f} s")
        self._inputs = Inputs(self, settings)
        self._outputs = Outputs(self, settings)
        loop = ControlLoop(settings, controller, self._inputs, self._outputs, self._reach, self._ros_seconds)
        # Before the loop's thread starts: a signal may end the process while a large model still compiles.
        ready = not settings.model.warm_up or self._warm_up(loop)
        loop.start()
        self._loop = loop
        if self._ending or not ready:  # the signal came meanwhile, or the model cannot plan
            self._close()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def _warm_up(self, loop: ControlLoop) -> bool:
        """Plan once before time matters; False, with the error in the log, when the model cannot."""
        try:
            self.get_logger().info(f"warmed up in {loop.warm_up():.1f} s")
        except Exception as error:
            self.get_logger().error(f"cannot plan: {error}")
            return False
        return True

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From now on the arm may move."""
        result = super().on_activate(state)
        try:
            self._loop.call(self._loop.activate)
        except ValueError as error:
            self.get_logger().error(f"not activated: {error}")
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring the arm to rest and be silent."""
        self._loop.call(self._loop.deactivate)
        self._loop.wait_silent()
        self._reach.deactivated()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the world model and the inputs."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good, from any state."""
        self._close()
        return super().on_shutdown(state)

    def _close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self._reach.deactivated()
        loop.stop(STOP_TIMEOUT)
        self._inputs.destroy()
        self._outputs.destroy()
        self._inputs = self._outputs = None

    # -- parameters -------------------------------------------------------------------------------------------------

    def _lock_reason(self) -> str:
        return "" if self._loop is None else "it is static and the node is configured; deactivate and clean it up first"

    def _on_settings(self, settings: Settings) -> None:
        loop = self._loop
        if loop is not None:
            loop.call(loop.apply, settings)

    # -- goals ------------------------------------------------------------------------------------------------------

    async def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        outcome: Future = Future(executor=self.executor)

        def answer(goal_id: int, refusal: str) -> None:
            outcome.set_result((goal_id, refusal))
            self.executor.wake()  # it looks at waiting callbacks only when something happens

        self._set_goal(request, answer)
        response.goal_id, refusal = await outcome
        response.success = not refusal
        response.message = refusal or f"goal {response.goal_id} is set"
        return response

    def _set_goal(self, request: Any, answer: Callable[[int, str], None]) -> None:
        """Decode and set a goal of SetGoal or ReachGoal off the executor; ``answer`` gets its id or a refusal."""
        loop, inputs = self._loop, self._inputs
        if loop is None:
            answer(0, NOT_CONFIGURED)
            return
        camera = None if inputs.image is None else inputs.image[1]
        decoding = self._decoder.submit(sub_goals, request, camera, loop.settings.goal)
        decoding.add_done_callback(lambda done: self._on_decoded(loop, done, answer))

    def _on_decoded(
        self, loop: ControlLoop, decoding: ThreadFuture[tuple[SubGoal, ...]], answer: Callable[[int, str], None]
    ) -> None:
        try:
            goals = decoding.result()
            goal_id = loop.call(self._begin_goal, loop, goals)
        except Exception as error:
            self.get_logger().warning(f"goal refused: {error}")
            answer(0, str(error))
            return
        self.get_logger().info(f"goal {goal_id}: {len(goals)} sub-goals")
        answer(goal_id, "")

    def _begin_goal(self, loop: ControlLoop, goals: tuple[SubGoal, ...]) -> int:
        goal_id = loop.set_goal(goals)
        self._reach.superseded(goal_id)
        return goal_id

    def _on_clear_goal(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, "no goal is set any more", self._clear_goal)

    def _clear_goal(self, loop: ControlLoop) -> None:
        loop.clear_goal()
        self._reach.superseded(0)

    def _clear_if_current(self, goal_id: int) -> None:
        loop = self._loop
        if loop is not None:
            loop.call(lambda: loop.clear_goal() if loop.mpc.goal_id == goal_id else None)

    # -- pause and resume -------------------------------------------------------------------------------------------

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            return self._with_loop(response, "paused; false, or ~/resume, goes on", ControlLoop.pause)
        return self._with_loop(response, "not paused", ControlLoop.unpause)

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._with_loop(response, "going on from the measured pose", ControlLoop.resume)

    def _with_loop(self, response: Any, message: str, job: Callable[[ControlLoop], Any]) -> Any:
        loop = self._loop
        response.success, response.message = loop is not None, message if loop is not None else NOT_CONFIGURED
        if loop is not None:
            loop.call(job, loop)
        return response

    # -- small things -----------------------------------------------------------------------------------------------

    def _position(self) -> np.ndarray | None:
        pose = None if self._inputs is None else self._inputs.pose
        return None if pose is None else pose.position

    def _ros_seconds(self) -> float:
        return 1e-9 * self.get_clock().now().nanoseconds

    def _publish_diagnostics(self) -> None:
        stamp, name = self.get_clock().now().to_msg(), self.get_name()
        loop, inputs = self._loop, self._inputs
        if loop is None:
            self._diagnostics.publish(diagnostics.unconfigured(name, stamp))
        else:
            self._diagnostics.publish(diagnostics.configured(name, stamp, loop, inputs))


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``planner_node``."""
    with joined() as ranks:
        if ranks is not None and not ranks.leads:
            return plan_along(ranks)
        return process.run(lambda: PlannerNode(ranks), args)


if __name__ == "__main__":
    sys.exit(main())
