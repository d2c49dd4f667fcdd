"""A policy beside the planner: its action sequences compete with the planner's own candidates.

Run it beside a planner node, with the package sourced: ``python3 examples/propose_actions.py``.
"""

import numpy as np
import rclpy
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

rclpy.init()
node = rclpy.create_node("policy")
publisher = node.create_publisher(Float64MultiArray, "/planner_node/proposals", 1)


def propose() -> None:
    """Send what the policy would do next."""
    actions = np.zeros((2, 1, 7))  # P sequences of H actions [dx, dy, dz, 0, 0, 0, dgripper], here from your policy
    actions[:, 0, :3] = [(-0.07, 0.07, -0.07), (0.0, 0.0, 0.05)]
    names = zip(("proposal", "step", "action"), actions.shape, strict=True)
    layout = MultiArrayLayout(dim=[MultiArrayDimension(label=label, size=size) for label, size in names])
    publisher.publish(Float64MultiArray(layout=layout, data=actions.ravel().tolist()))


node.create_timer(0.1, propose)
rclpy.spin(node)
