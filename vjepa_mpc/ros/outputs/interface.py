"""What an output of the planner node is: for the arm's set-points, and for the gripper's commands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from builtin_interfaces.msg import Time
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.safety.guards.violation import Violation

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class Output(ABC):
    """Set-points as messages of one type. To add one, write a file in ``ros/outputs/arm``, or name a class outside.

    Attributes:
        qos: of the publisher.
        causes: what usually keeps an arm from following these set-points, as the end of a sentence.
        integrates_velocities: the arm is told how fast to move, not where to be, so what it does not follow adds up.
            Set-points then begin anew at the measured pose after each motion, and pipelined execution is refused.

    Its own options are the fields of a dataclass ``Options`` inside it, as for every part that a parameter chooses.

    Args:
        frame_id: name of the robot base frame, for the messages' headers.
        options: an instance of its ``Options``; None when it has none.
    """

    qos: ClassVar[QoSProfile] = NEWEST
    integrates_velocities: ClassVar[bool] = False
    causes: ClassVar[str] = "its controller is not active, or listens to another topic"

    def __init__(self, frame_id: str, options: Any = None) -> None:
        self.frame_id, self.options = frame_id, options

    @property
    @abstractmethod
    def message_type(self) -> type[Any]:
        """The message type; a class attribute will do."""

    @abstractmethod
    def message(self, setpoint: Setpoint, stamp: Time) -> Any:
        """The message for a set-point, which is in the robot base frame; called on the control loop's thread."""


class GripperOutput(ABC):
    """Where the gripper's commands go; called on the control loop's thread, and never waits.

    To add one, write a file in ``ros/outputs/gripper``, or name a class outside. Its own options are the fields of a
    dataclass ``Options`` inside it; :class:`~vjepa_mpc.ros.outputs.gripper.action.GripperAction` is an example.

    Args:
        node: to communicate through.
        name: of the topic, action or service.
        finger: between closedness and finger position.
        options: an instance of its ``Options``; None when it has none.
    """

    @abstractmethod
    def __init__(self, node: LifecycleNode, name: str, finger: GripperJoint, options: Any) -> None: ...

    @classmethod  # noqa: B027 - most need nothing
    def require(cls) -> None:
        """See to it that all packages are installed, before anything is made.

        Raises:
            MissingInterfaceError: one is not.
        """

    @abstractmethod
    def command(self, closedness: float) -> None:
        """Have the fingers go to a closedness, 0 open to 1 closed, instead of what was commanded before."""

    @abstractmethod
    def trouble(self) -> Violation | None:
        """What speaks against moving the arm: what lasts at every call, what happened at the next one only."""

    @abstractmethod
    def destroy(self) -> None:
        """End the connection; the gripper goes on with what it does."""
