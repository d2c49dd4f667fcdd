"""Set-points as poses, for Cartesian controllers such as crisp_controllers and cartesian_controllers."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped

from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.ros.common.conversions import pose_message
from vjepa_mpc.ros.outputs.interface import Output


class PoseOutput(Output):
    """``geometry_msgs/PoseStamped``: where the end effector shall be."""

    message_type = PoseStamped
    causes = (
        "the controller that takes poses is not active (ros2 control list_controllers), or listens to another topic; "
        "it refuses the frame; the robot is in a reflex, stopped or guided by hand; something blocks the arm"
    )

    def message(self, setpoint: Setpoint, stamp: Time) -> PoseStamped:
        """The set-point's position and orientation."""
        return pose_message(setpoint.position, setpoint.quaternion, self.frame_id, stamp)
