"""The control loop wired to a node's topics; it exists while the node is configured."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode

from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.loop.ports import Listener
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.outputs.gripper import GRIPPER_OUTPUTS
from vjepa_mpc.ros.outputs.publishers import Outputs
from vjepa_mpc.ros.outputs.thoughts import Thoughts
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.ros.planner.console import Console, Listeners
from vjepa_mpc.ros.planner.inputs import Inputs


def require_interfaces(settings: Settings) -> None:
    """See to it that the packages of all message types that the parameters ask for are installed.

    Raises:
        MissingInterfaceError: one is not.
    """
    GRIPPER_OUTPUTS.part(settings.gripper_output).require()
    if settings.topics.robot_state:
        optional_interfaces.franka_robot_state()


class Wiring:
    """Inputs, control loop and outputs. The loop's threads are started and stopped by whoever holds this.

    Args:
        node: whose topics.
        settings: of everything.
        controller: proposes actions.
        listener: is told how goals go.

    Attributes:
        inputs: the newest messages.
        outputs: the publishers.
        thoughts: those of what is made for eyes only.
        loop: the control loop.

    Raises:
        MissingInterfaceError: see :func:`require_interfaces`.
    """

    def __init__(self, node: LifecycleNode, settings: Settings, controller: Controller, listener: Listener) -> None:
        self.inputs = Inputs(node, settings)
        self.thoughts = Thoughts(
            node, settings, controller, lambda step: self.loop.foresee(step), lambda image: self.loop.look(image)
        )
        self.outputs = Outputs(node, settings, self.thoughts, self.inputs.explain)
        listeners = Listeners([listener, Console(node, self.inputs.explain)])

        def ros_seconds() -> float:
            return 1e-9 * node.get_clock().now().nanoseconds

        self.loop = ControlLoop(settings.loop, controller, self.inputs, self.outputs, listeners, ros_seconds)

    def stop(self, timeout: float) -> bool:
        """Bring the arm to rest and end the threads; False when a plan being computed does not end in time."""
        clean = self.loop.stop(timeout)
        self.thoughts.close()
        return clean

    def close(self, timeout: float) -> None:
        """Bring the arm to rest, end the threads, and end subscriptions and publishers."""
        self.stop(timeout)
        self.inputs.destroy()
        self.outputs.destroy()
        self.thoughts.destroy()
