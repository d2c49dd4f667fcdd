"""Set-points as velocities, for servo controllers such as moveit_servo."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped

from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.ros.common.conversions import twist_message
from vjepa_mpc.ros.outputs.interface import Output


class TwistOutput(Output):
    """``geometry_msgs/TwistStamped``: how fast the end effector shall move."""

    message_type = TwistStamped
    integrates_velocities = True
    causes = (
        "servo was not started (start_servo), is paused, or was not told to follow twists (switch_command_type), or it "
        "halts at a singularity, a joint limit or a collision; the controller behind it is not active; the robot is in "
        "a reflex, stopped or guided by hand"
    )

    def message(self, setpoint: Setpoint, stamp: Time) -> TwistStamped:
        """The velocity that the set-point was reached with."""
        return twist_message(setpoint.linear_velocity, setpoint.angular_velocity, self.frame_id, stamp)
