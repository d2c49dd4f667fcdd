"""Records what goes into the planner and what comes out of it, as rosbag2 folders. Run by the executable ``recorder``.

A process of its own, of lower priority, that only listens, so that nothing waits for it. It records every topic that
the planner subscribes to or publishes on, whatever its name after remapping, and what nodes say of themselves:
parameters, log, diagnostics. Raw images become JPEG. What has been written can be read a second later, even if the
process is killed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterEvent
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from vjepa_mpc.data.errors import DataError, needs
from vjepa_mpc.images import ImageError, encode_jpeg, image_to_rgb
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.parameters.live import LiveParameters, ParameterError
from vjepa_mpc.ros.recorder import topics
from vjepa_mpc.ros.recorder.message_types import UnknownTypeError, encoded, message_class
from vjepa_mpc.ros.recorder.parameter_snapshot import ParameterSnapshot
from vjepa_mpc.ros.recorder.parameters import MEGABYTE, NODE, PARAMETERS, RecorderSettings, build_settings
from vjepa_mpc.ros.recorder.recording import NAME_FORMAT, Channel, Recording

LOOK_PERIOD = 0.5  # seconds between looks at the graph
FLUSH_PERIOD = 1.0  # seconds; what is older outlives this process
WARNING_PERIOD = 10.0  # seconds
NICENESS = 10  # where processors are short, planner and control loop go first; messages wait in queues meanwhile
STATUS_KIND = "vjepa_mpc/msg/PlanStatus"
EVENTS = "/parameter_events"
FINISHED = "GOAL_FINISHED"


class RecorderNode(Node):
    """Listens to what the planner hears and says, and writes it down."""

    def __init__(self) -> None:
        super().__init__("recorder")
        locked = "recording is under way; set it when starting the recorder"
        settings: LiveParameters[RecorderSettings] = LiveParameters(
            self, PARAMETERS, build_settings, lambda: locked, lambda _: None
        )
        self._settings = settings.snapshot
        self._planner = topics.full_name(self._settings.planner, self.get_namespace())
        self._prepare()
        self._recording = Recording(self._settings, self._now, lambda: time.strftime(NAME_FORMAT))
        self._heard: dict[str, tuple[Subscription, QoSProfile]] = {}  # by the name that a topic is recorded under
        self._ignored: set[str] = set()
        self._snapshot = ParameterSnapshot(self, self._planner, self._on_snapshot)
        self._asked = False
        self._goal_id = 0
        self._told = ""
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._timers = [steady_timer(self, LOOK_PERIOD, self._look), steady_timer(self, FLUSH_PERIOD, self._flush)]

    def start(self) -> None:
        """Begin the bag, if it is not to begin with a goal."""
        self._look()
        if self._settings.bags == "run":
            self._begin("")
        self.get_logger().info(f"recording what {self._planner} hears and says into {self._settings.path}")

    def stop(self) -> bool:
        """End the bag; on the main thread, when callbacks may still come."""
        ended = threading.Event()
        process.executor_of(self).create_task(self._end).add_done_callback(lambda _: ended.set())
        return ended.wait(process.STOP_TIMEOUT)

    def _prepare(self) -> None:
        """See to it that bags can be written.

        Raises:
            ParameterError: they cannot.
        """
        try:
            needs("rosbags.typesys")
            self._settings.path.mkdir(parents=True, exist_ok=True)
            probe = self._settings.path / f".{self.get_name()}"
            probe.touch()
            probe.unlink()
        except DataError as error:
            raise ParameterError(str(error)) from error
        except OSError as error:
            raise ParameterError(f"folder={self._settings.folder}: it cannot be written into ({error})") from error

    def _now(self) -> int:
        nanoseconds: int = self.get_clock().now().nanoseconds
        return nanoseconds

    # -- what is heard ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Listen to what the planner hears and says by now, and to what has other publishers than before."""
        wanted = dict(topics.COMMON)
        if topics.exists(self, self._planner):
            wanted |= topics.topics_of(self, self._planner)
            self._asked = self._asked or self._snapshot.ask()
        else:
            self._asked = False  # it is asked again when it comes back
        wanted |= topics.typed(self, map(self.resolve_topic_name, self._settings.further_topics))
        for topic, kind in wanted.items():
            self._listen(topic, kind)

    def _listen(self, topic: str, kind: str) -> None:
        compressed = f"{topic}/compressed"
        compress = kind == topics.IMAGE and self._settings.jpeg_quality > 0
        if compress and self.get_publishers_info_by_topic(compressed):
            topic, kind, compress = compressed, topics.COMPRESSED, False  # as the camera compresses them
        infos = [info for info in self.get_publishers_info_by_topic(topic) if info.topic_type == kind]
        if not infos or topic in self._ignored:
            return
        profile = topics.profile_for(infos)
        channel = Channel(
            name=compressed if compress else topic,
            kind=topics.COMPRESSED if compress else kind,
            qos=tuple(topics.offered(infos)),
            latched=profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        )
        known = self._heard.get(channel.name)
        if known is not None:
            subscription, heard_as = known
            if heard_as == profile and subscription.topic_name == topic:
                return
            self.destroy_subscription(subscription)  # not under the executor: timers are served by its thread, too
        receive = partial(self._on_image if compress else self._on_message, channel)
        try:
            made = self.create_subscription(message_class(kind), topic, receive, profile, raw=not compress)
        except UnknownTypeError as error:
            self._ignored.add(topic)
            self.get_logger().warning(f"{topic} is not recorded: {error}")
            return
        self._heard[channel.name] = made, profile

    def _on_message(self, channel: Channel, data: bytes) -> None:
        if channel.kind == STATUS_KIND and self._settings.bags == "goal":
            self._recording.remember(channel, data)
            if self._begins_bag(deserialize_message(data, PlanStatus)):
                return  # which it opens
        if channel.name == EVENTS:
            self._snapshot.note(deserialize_message(data, ParameterEvent))
        self._write(channel, data)

    def _on_image(self, channel: Channel, message: Image) -> None:
        try:
            data = encode_jpeg(image_to_rgb(message), self._settings.jpeg_quality)
        except ImageError as error:
            self.get_logger().warning(
                f"a picture of {channel.name} is not recorded: {error}", throttle_duration_sec=WARNING_PERIOD
            )
            return
        picture = CompressedImage(header=message.header, format="jpeg", data=array("B", data))
        self._write(channel, encoded(picture, channel.kind))

    def _on_snapshot(self, parameters: ParameterEvent, asked: bool) -> None:
        """All of the planner's parameters: into this bag once, and at the beginning of those that come."""
        channel, data = (
            Channel(name=EVENTS, kind=topics.COMMON[EVENTS], latched=True),
            encoded(parameters, topics.COMMON[EVENTS]),
        )
        if asked:
            self.get_logger().info(f"{self._planner} has told its parameters")
            self._write(channel, data)
        else:  # the change itself is in this bag already
            self._recording.remember(channel, data)

    # -- what is written --------------------------------------------------------------------------------------------

    def _begins_bag(self, status: PlanStatus) -> bool:
        """Begin and end the bag of a goal; the status that ends it is the last in it."""
        present = 0 if status.reason == FINISHED else status.goal_id
        changed, self._goal_id = present != self._goal_id, present
        if changed and present:
            self._begin(f"goal_{present}")
        elif changed:
            process.executor_of(self).create_task(self._end)
        return changed and present > 0

    def _begin(self, label: str) -> None:
        self._recording.begin(label)
        if self._recording.folder is not None:
            self.get_logger().info(f"recording {self._recording.folder}")

    def _end(self) -> None:
        folder = self._recording.folder
        self._recording.end()
        if folder is not None:
            self.get_logger().info(f"{folder} is complete")

    def _write(self, channel: Channel, data: bytes) -> None:
        self._recording.write(channel, self._now(), data)

    def _flush(self) -> None:
        has_room_again = self._recording.flush()
        if has_room_again and (self._settings.bags == "run" or self._goal_id):
            self._begin(f"goal_{self._goal_id}" if self._goal_id else "")
        trouble = self._recording.trouble
        if trouble != self._told:
            self._told = trouble
            if trouble:
                self.get_logger().error(trouble)
        self._diagnostics.publish(self._diagnosis())

    def _diagnosis(self) -> DiagnosticArray:
        folder, trouble = self._recording.folder, self._recording.trouble
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if trouble else DiagnosticStatus.OK,
            name=f"{self.get_fully_qualified_name()}: recording",
            message=trouble or (f"recording {folder}" if folder else "waiting for a goal"),
            values=[
                KeyValue(key="messages", value=str(self._recording.messages)),
                KeyValue(key="topics", value=str(len(self._heard))),
                KeyValue(key="free", value=f"{self._recording.free / MEGABYTE:.0f} MB"),
            ],
        )
        result = DiagnosticArray(status=[status])
        result.header.stamp = self.get_clock().now().to_msg()
        return result


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``recorder``."""
    os.nice(NICENESS)
    return process.run(RecorderNode, NODE, args)


if __name__ == "__main__":
    sys.exit(main())
