"""A Franka without ros2_control, through libfranka."""
