"""The planner as a ROS 2 lifecycle node: goal images in, set-points out. Run by the executable ``planner_node``.

The node has the parameters and the lifecycle; all else is beside it: services, the action, inputs, diagnostics, and
in :mod:`~vjepa_mpc.ros.planner.wiring` what exists while the node is configured.

Threads: the executor's, whose callbacks store messages and pass requests on; the control loop's, which alone decides
and moves (:mod:`~vjepa_mpc.loop.control_loop`); the planner's, which computes; and one that decodes goal pictures.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vjepa_mpc.controller.assembly import make_controller
from vjepa_mpc.controller.choices import DEFAULT
from vjepa_mpc.controller.interface import Controller, HasPlanner
from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.loop.job_queue import StoppedError
from vjepa_mpc.loop.realtime import prepare_process
from vjepa_mpc.planning import Ranks
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.optional_interfaces import MissingInterfaceError
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.parameters.planner import NODE, declare
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.ros.planner import diagnostics
from vjepa_mpc.ros.planner.goal_setter import GoalSetter
from vjepa_mpc.ros.planner.newest_image import NewestImage
from vjepa_mpc.ros.planner.ranks import joined, plan_along
from vjepa_mpc.ros.planner.reach_action import ReachAction
from vjepa_mpc.ros.planner.services import Services
from vjepa_mpc.ros.planner.wiring import Wiring, require_interfaces

DIAGNOSTICS_PERIOD = 1.0  # seconds
STOP_TIMEOUT = 3.0  # seconds; ros2 launch escalates to SIGTERM after five
ANSWER_TIMEOUT = 0.5  # seconds for telling an action's client that the node ends


class PlannerNode(LifecycleNode):
    """Parameters and lifecycle around the control loop."""

    def __init__(self, ranks: Ranks | None = None, name: str = "planner_node") -> None:
        super().__init__(name)
        self._ranks = ranks
        self._wiring: Wiring | None = None
        self._controller: Controller | None = None
        self._ending = self._shut_down = False
        self._settings = declare(self, self._lock_reason, self._on_settings)
        self._goals = GoalSetter(
            self,
            self._get_wiring,
            lambda: self._settings.snapshot.endings,
            lambda: self._settings.snapshot.goal_picture,
            lambda goal_id: self._reach.superseded(goal_id),
            lambda: self._shut_down,
        )
        self._reach = ReachAction(self, self._goals)
        self._requests = Services(self, self._goals, self._get_wiring)
        self._newest_image = NewestImage(self, self._goals.camera_image)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        steady_timer(self, DIAGNOSTICS_PERIOD, self._publish_diagnostics)

    def start(self) -> None:
        """Configure and activate, if the parameters want it; the node stays up when that fails."""
        if self._settings.snapshot.autostart:
            # On the executor's thread, like every transition: it must not look at what is being made or destroyed.
            process.executor_of(self).create_task(self._autostart)

    def _autostart(self) -> None:
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def stop(self) -> bool:
        """Bring the arm to rest and end all threads; publishers and subscriptions end with the process."""
        self._ending = True
        wiring, self._wiring = self._wiring, None
        self._reach.deactivated()
        clean = wiring is None or wiring.stop(STOP_TIMEOUT)
        self._goals.close()
        self._newest_image.close()
        self._reach.wait_concluded(ANSWER_TIMEOUT)
        return clean

    # -- lifecycle --------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the world model, connect inputs and outputs, and warm up."""
        settings = self._settings.snapshot
        self._controller = controller = self._make_controller(settings)
        if controller is None:
            return TransitionCallbackReturn.FAILURE
        wiring = Wiring(self, settings, controller, self._reach)
        # Before the loop's thread starts: a signal may end the process while a large model still compiles.
        ready = not settings.model.warm_up or self._warm_up(wiring.loop)
        for denied in prepare_process(settings.realtime):
            self.get_logger().warning(denied)
        wiring.loop.start()
        self._wiring = wiring
        if self._ending or not ready:  # the signal came meanwhile, or the model cannot plan
            self._close()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From now on the arm may move."""
        result = super().on_activate(state)
        loop = self._loop
        try:
            loop.call(loop.activate)
        except ValueError as error:
            self.get_logger().error(f"not activated: {error}")
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring the arm to rest and be silent."""
        loop = self._loop
        loop.call(loop.deactivate)
        loop.wait_silent()
        self._reach.deactivated()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the world model and the inputs."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good, from any state."""
        self._shut_down = True
        self._close()
        return super().on_shutdown(state)

    def _make_controller(self, settings: Settings) -> Controller | None:
        """The controller; None, with the error in the log, when it cannot be made."""
        log, choice = self.get_logger(), settings.controller
        try:
            require_interfaces(settings)
            return make_controller(
                settings.model,
                planner=settings.planner,
                agreement=settings.agreement,
                gripper=settings.gripper,
                action_rotation=settings.action_rotation,
                ranks=self._ranks,
                controller=choice.controller,
                options=choice.options,
                workspace=settings.workspace,
            )
        except MissingInterfaceError as error:
            log.error(f"not configured: {error}")
            return None
        except Exception as error:  # rclpy drops exceptions of transitions without a word
            making = f"make the controller {choice.controller}"
            log.error(f"cannot {'load the world model' if choice.controller == DEFAULT else making}: {error}")
            return None

    def _warm_up(self, loop: ControlLoop) -> bool:
        """Plan once before time matters; False, with the error in the log, when the model cannot."""
        try:
            self.get_logger().info(f"warmed up in {loop.warm_up():.1f} s")
        except Exception as error:
            self.get_logger().error(f"cannot plan: {error}")
            return False
        return True

    def _close(self) -> None:
        wiring, self._wiring, self._controller = self._wiring, None, None
        if wiring is not None:
            self._reach.deactivated()
            wiring.close(STOP_TIMEOUT)

    # -- for the parts ----------------------------------------------------------------------------------------------

    @property
    def _loop(self) -> ControlLoop:
        """The control loop of the configured node."""
        if self._wiring is None:
            raise RuntimeError("the node is not configured")
        return self._wiring.loop

    def _get_wiring(self) -> Wiring | None:
        return self._wiring

    def _lock_reason(self) -> str:
        configured = "it is static and the node is configured; deactivate and clean it up first"
        return "" if self._wiring is None else configured

    def _on_settings(self, settings: Settings) -> None:
        controller: object = self._controller
        if isinstance(controller, HasPlanner):
            controller.planner_config = settings.planner
        if self._wiring is not None and settings.supervisor is not None:
            with suppress(StoppedError):  # then nothing is judged any more
                self._wiring.loop.call(self._wiring.loop.reconfigure, settings.supervisor)

    def _publish_diagnostics(self) -> None:
        stamp, wiring = self.get_clock().now().to_msg(), self._wiring
        name = self.get_fully_qualified_name().removeprefix("/")
        if wiring is None:
            self._diagnostics.publish(diagnostics.unconfigured(name, stamp, shut_down=self._shut_down))
        else:
            self._diagnostics.publish(diagnostics.configured(name, stamp, wiring.loop, wiring.inputs))


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``planner_node``."""
    with joined() as ranks:
        if ranks is not None and not ranks.leads:
            return plan_along(ranks)
        return process.run(lambda: PlannerNode(ranks), NODE, args)


if __name__ == "__main__":
    sys.exit(main())
