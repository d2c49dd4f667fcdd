"""Robots that this package talks to itself, without ROS: today a Franka through libfranka."""
