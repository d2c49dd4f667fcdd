"""Parameters of the Franka driver."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.drivers.franka.settings import ArmSettings, HandSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.options import build, group, option, parameters
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values


@dataclass(frozen=True, kw_only=True)
class DriverSettings:
    """A snapshot of the parameters.

    Raises:
        ValueError: a value that cannot be used; the message names it.
    """

    arm: ArmSettings = group(ArmSettings, title="Arm")
    has_hand: bool = option(True, "A Franka Hand is mounted.", name="hand", title="Hand")
    hand: HandSettings = group(HandSettings, "hand_")
    frame_id: str = option("base", "Name of the robot base frame: targets must be in it, poses are.", title="Names")
    joint_prefix: str = option("fr3_", "What the names of all joints begin with.")

    def __post_init__(self) -> None:
        if not self.frame_id:
            raise ValueError("frame_id='': give the robot base frame's name, e.g. base")

    @property
    def arm_joints(self) -> tuple[str, ...]:
        """Names of the arm's joints [7]."""
        return tuple(f"{self.joint_prefix}joint{number}" for number in range(1, 8))

    @property
    def finger_joints(self) -> tuple[str, ...]:
        """Names of the fingers' joints [2]."""
        return tuple(f"{self.joint_prefix}finger_joint{number}" for number in (1, 2))

    @property
    def finger(self) -> GripperJoint:
        """Between closedness and finger position."""
        return GripperJoint()


PARAMETERS = parameters(DriverSettings)
NODE = NodeParameters(
    "franka_driver", lambda values: PARAMETERS, "Drives a Franka arm through libfranka, without ros2_control."
)


def build_settings(values: Values) -> DriverSettings:
    """The snapshot of all values.

    Raises:
        ValueError: a value that cannot be used; the message names it.
    """
    return build(DriverSettings, values)
