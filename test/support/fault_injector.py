"""A node between simulator and planner: forwards images, poses and joint states, altered as a test wants."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState

from vjepa_mpc.ros.common.conversions import seconds

Alteration = Callable[[Any], Any]
"""A message -> what is published instead of it, or None for nothing."""

CLOCK_RATE = 250.0  # Hz: set-points are stamped by it


@dataclass(frozen=True, kw_only=True)
class Published:
    """A message that the planner was sent.

    Attributes:
        at: when, seconds of the system's clock.
        stamp: its header stamp, seconds.
        altered: whether an alteration was in force.
    """

    at: float
    stamp: float
    altered: bool


class FaultInjector(Node):
    """Forwards what the simulator publishes and does to it what tests ask for. Use it as a context manager.

    Planners that are to be fooled get `REMAPPINGS`. Streams that nobody subscribes to are not forwarded.

    Args:
        domain_id: DDS domain.
    """

    STREAMS: ClassVar = {
        "image": (Image, "camera/image_raw"),
        "pose": (PoseStamped, "current_pose"),
        "joints": (JointState, "joint_states"),
    }
    REMAPPINGS: ClassVar = {topic: f"faulty/{topic}" for _, topic in STREAMS.values()}

    def __init__(self, domain_id: int) -> None:
        own_context = Context()
        rclpy.init(context=own_context, domain_id=domain_id)
        super().__init__("fault_injector", context=own_context)
        self._alterations: dict[str, Alteration] = {}
        self._injected = 0.0
        self._clock_offset: float | None = None
        self._log = {stream: deque[Published](maxlen=1000) for stream in self.STREAMS}
        self._publishers_of = {}
        for stream, (kind, topic) in self.STREAMS.items():
            self._publishers_of[stream] = self.create_publisher(kind, f"faulty/{topic}", qos_profile_sensor_data)
            self.create_subscription(kind, topic, self._forward(stream), qos_profile_sensor_data)
        self._clock_out = self.create_publisher(Clock, "/clock", 1)
        self.create_timer(1.0 / CLOCK_RATE, self._publish_clock)
        self._executor_of_its_own = SingleThreadedExecutor(context=own_context)
        self._executor_of_its_own.add_node(self)
        self._thread = threading.Thread(target=self._spin, name="fault injector", daemon=True)
        self._thread.start()

    # -- what is done to the messages -------------------------------------------------------------------------------

    def inject(self, stream: str, alteration: Alteration) -> None:
        """Alter a stream from its next message on."""
        self._injected = time.time()
        self._alterations[stream] = alteration

    def behave(self) -> None:
        """Forward everything as it is."""
        self._alterations.clear()

    def publish(self, stream: str, message: Any) -> float:
        """Send a message of one's own into a stream; when, in seconds of the system's clock."""
        now = time.time()
        self._publishers_of[stream].publish(message)
        return now

    def lead_clock(self, offset: float | None) -> None:
        """Publish /clock, so far ahead of the system's clock, and stamp all messages by it; None: leave clocks alone.

        For planners with ``use_sim_time``.
        """
        self._clock_offset = offset

    # -- what was published -----------------------------------------------------------------------------------------

    def first_altered(self, stream: str) -> Published:
        """The first message that was sent altered since `inject`."""
        return next(entry for entry in list(self._log[stream]) if entry.altered and entry.at >= self._injected)

    def newest(self, stream: str, before: float) -> Published:
        """The newest message that was sent before a time."""
        return next(entry for entry in reversed(list(self._log[stream])) if entry.at <= before)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _forward(self, stream: str) -> Callable[[Any], None]:
        publisher = self._publishers_of[stream]

        def callback(message: Any) -> None:
            if not publisher.get_subscription_count():
                return
            if self._clock_offset is not None:
                shift_stamp(message, self._clock_offset)
            alteration = self._alterations.get(stream)
            out = message if alteration is None else alteration(message)
            if out is not None:
                at = time.time()
                publisher.publish(out)
                stamp = seconds(out.header.stamp)
                self._log[stream].append(Published(at=at, stamp=stamp, altered=alteration is not None))

        return callback

    def _publish_clock(self) -> None:
        if self._clock_offset is not None:
            self._clock_out.publish(Clock(clock=as_stamp(time.time() + self._clock_offset)))

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor_of_its_own.spin()

    def close(self) -> None:
        """End the node."""
        self._executor_of_its_own.shutdown()
        self._thread.join()
        self.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def __enter__(self) -> FaultInjector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_stamp(at: float) -> Time:
    """Seconds as a message stamp."""
    nanoseconds = round(at * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def shift_stamp(message: Any, by: float) -> Any:
    """A message with its stamp moved by seconds."""
    message.header.stamp = as_stamp(seconds(message.header.stamp) + by)
    return message
