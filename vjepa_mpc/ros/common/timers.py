"""Timers for what must go on whatever the ROS clock does."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer


def steady_timer(node: Node, period: float, callback: Callable[[], None]) -> Timer:
    """A timer in seconds of the steady clock.

    A node's own timers go by the ROS clock, which with ``use_sim_time`` stands still until something comes over
    /clock: they would leave unsaid what is missing.
    """
    return node.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
