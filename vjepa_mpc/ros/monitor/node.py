"""The monitor as a node: pictures in, readings, words and a marked picture out. Run by the executable ``monitor``.

A process of its own, so that it can watch any arm, or none. What it says is on ``~/deviation`` for each picture that it
looks at, on ``~/text`` for each deviation, on ``/diagnostics``, and, while somebody subscribes, on ``~/picture``.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from datetime import datetime
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.files import WriteError
from vjepa_mpc.geometry.pose import pose_from_quaternion
from vjepa_mpc.monitor import file
from vjepa_mpc.monitor.naming import Deviation
from vjepa_mpc.monitor.sight import Eye, fingerprint
from vjepa_mpc.monitor.telling.log import Log
from vjepa_mpc.monitor.telling.marking import marked
from vjepa_mpc.monitor.watch import Watcher
from vjepa_mpc.msg import Deviation as DeviationMessage
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of, seconds
from vjepa_mpc.ros.common.hearing import Hearing
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.monitor.parameters import NODE, PARAMETERS, MonitorSettings, build_settings
from vjepa_mpc.ros.monitor.watching import Seen, Shown, Watching
from vjepa_mpc.ros.outputs.thoughts import image_message
from vjepa_mpc.ros.parameters.live import LiveParameters, ParameterError
from vjepa_mpc.ros.recorder.topics import full_name

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
NEWEST = QoSProfile(depth=10)
HOLD_PERIOD = 0.1  # seconds between words on motion
DIAGNOSTICS_PERIOD = 1.0  # seconds
SILENT = 2.0  # seconds without a reading, while a run is watched, after which the monitor counts as blind
NEAR = 0.1  # seconds that a pose may be from the picture that it goes with
POSES = 200  # that are remembered


class MonitorNode(Node):
    """Topics and services around :class:`Watching`."""

    def __init__(self) -> None:
        super().__init__("monitor")
        locked = "the monitor is watching; set it when starting the node"
        live: LiveParameters[MonitorSettings] = LiveParameters(
            self, PARAMETERS, build_settings, lambda: locked, lambda _: None
        )
        self._settings = settings = live.snapshot
        self._states = False
        self._poses: deque[tuple[float, np.ndarray]] = deque(maxlen=POSES)
        self._closedness = 0.0
        self._goal = 0
        self._trouble = ""
        self._deviation: Deviation | None = None
        self._looked_at = time.monotonic()
        self._held = ""  # why, in words
        self._watching, self._log = self._open(settings)
        self._readings = self.create_publisher(DeviationMessage, "~/deviation", NEWEST)
        self._text = self.create_publisher(String, "~/text", LATCHED)
        self._picture = self.create_publisher(Image, "~/picture", 1)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._allowed = None
        if settings.hold:
            planner = full_name(settings.hold, self.get_namespace())
            self._allowed = self.create_publisher(Bool, f"{planner}/motion_allowed", LATCHED)
        for name, answer in (("begin", self._on_begin), ("finish", self._on_finish), ("release", self._on_release)):
            self.create_service(Trigger, f"~/{name}", answer)
        self._hearing = Hearing(self)
        self._listen(settings)
        self._timers = [
            steady_timer(self, DIAGNOSTICS_PERIOD, self._publish_diagnostics),
            steady_timer(self, HOLD_PERIOD, self._say_whether_motion_is_allowed),
        ]

    def start(self) -> None:
        """Without a planner, the first picture begins a run."""
        if not self._settings.planner:
            self._begin()

    def stop(self) -> bool:
        """Watch no more. What was held stays held: the last word on that is latched."""
        self._watching.close()
        return True

    def _open(self, settings: MonitorSettings) -> tuple[Watching, Log | None]:
        """What watches, and the log.

        Raises:
            ParameterError: a file cannot be used.
        """
        try:
            fitted = file.load(settings.file)
            self._states = fitted.learned.states
            chosen = ModelSettings(
                checkpoint=settings.checkpoint, device=settings.device, threads=settings.threads, crop=settings.crop
            )
            model = load_model(chosen)
            watcher = Watcher(fitted, fingerprint(model, settings.crop))
            log = None if settings.log_folder is None else Log(settings.log_folder)
            return Watching(watcher, Eye(model, settings.crop), self._on_seen, self._on_trouble), log
        except FileNotFoundError as error:
            raise ParameterError(
                f"monitor={settings.monitor}: there is no such file; make it with vjepa-mpc monitor fit"
            ) from error
        except (ValueError, WriteError) as error:
            raise ParameterError(str(error)) from error

    def _listen(self, settings: MonitorSettings) -> None:
        if settings.image_transport == "compressed":
            compressed = f"{self.resolve_topic_name(settings.image)}/compressed"
            self._hearing.listen(CompressedImage, compressed, self._on_image)
        else:
            self._hearing.listen(Image, settings.image, self._on_image)
        if self._states:
            self._hearing.listen(PoseStamped, settings.pose, self._on_pose)
        if self._states and settings.gripper_joint:
            self._hearing.listen(JointState, settings.joint_states, self._on_joints)
        if settings.planner:
            planner = full_name(settings.planner, self.get_namespace())
            self.create_subscription(PlanStatus, f"{planner}/status", self._on_status, LATCHED)

    # -- inputs -----------------------------------------------------------------------------------------------------

    def _on_image(self, message: Any, _: Any) -> None:
        stamp = seconds(message.header.stamp)
        state = self._state_at(stamp) if self._states else None
        if self._states and state is None:
            self._trouble = f"no pose within {NEAR:g} s of the newest picture: {self._settings.pose} may be silent"
            return
        self._watching.show(Shown(message=message, stamp=stamp, state=state))

    def _on_pose(self, message: PoseStamped, _: Any) -> None:
        try:
            pose = pose_from_quaternion(position_of(message), quaternion_of(message), self._closedness)
        except ValueError as error:
            self._on_trouble(str(error))
            return
        self._poses.append((seconds(message.header.stamp), pose))

    def _on_joints(self, message: JointState, _: Any) -> None:
        names = list(message.name)
        if self._settings.gripper_joint in names:
            position = message.position[names.index(self._settings.gripper_joint)]
            self._closedness = self._settings.finger.closedness(position)

    def _on_status(self, message: PlanStatus) -> None:
        """A planner's goals are the runs."""
        if message.goal_id == self._goal:
            return
        if self._goal:
            self._finish()
        self._goal = message.goal_id
        if self._goal:
            self._begin()

    def _state_at(self, stamp: float) -> np.ndarray | None:
        """The pose that is nearest in time; None where none is near."""
        at, pose = min(self._poses, key=lambda each: abs(each[0] - stamp), default=(math.inf, None))
        return pose if abs(at - stamp) <= NEAR else None

    # -- services ---------------------------------------------------------------------------------------------------

    def _on_begin(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._begin()
        response.success, response.message = True, "the next picture begins a run"
        return response

    def _on_finish(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._watching.runs:
            response.message = "no run is being watched: call ~/begin"
            return response
        found = self._finish()
        response.success, response.message = True, "as usual" if found is None else str(found)
        return response

    def _on_release(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._allowed is None:
            response.message = "this monitor holds nobody: start it with the parameter hold"
            return response
        held, self._held = self._held, ""
        self._say_whether_motion_is_allowed()
        response.success, response.message = True, f"released; it was held by {held}" if held else "nothing was held"
        return response

    def _finish(self) -> Deviation | None:
        found = self._watching.finish()
        if found is not None and (self._deviation is None or found.began != self._deviation.began):
            self._tell(found)
        self._deviation = None
        return found

    # -- what comes of it; the first two on the monitor's thread ----------------------------------------------------

    def _on_seen(self, seen: Seen) -> None:
        reading, deviation = seen.reading, seen.reading.deviation
        self._looked_at, self._deviation, self._trouble = time.monotonic(), deviation, reading.note
        message = DeviationMessage(header=seen.shown.message.header, progress=reading.progress, step=reading.step)
        message.next_step = reading.next_step
        message.message = f"{reading.step}, {reading.progress:.0%}"
        if deviation is not None:
            message.name, message.message, message.step = deviation.name, str(deviation), deviation.step
            message.score, message.threshold = deviation.score, deviation.threshold
            message.seconds, message.where = deviation.seconds, list(deviation.where or ())
        self._readings.publish(message)
        if seen.news is None and not self._picture.get_subscription_count():
            return
        words = f"{message.message}" if deviation is None else f"{deviation.name} in {deviation.step}"
        picture = marked(seen.image, deviation, words, self._settings.crop)
        if self._picture.get_subscription_count():
            self._picture.publish(image_message(picture, seen.shown.message.header))
        if seen.news is not None:
            self._tell(seen.news)
            self._write_down(seen.news, seen.after, picture)

    def _on_trouble(self, words: str) -> None:
        if words != self._trouble:
            self._trouble = words
            self.get_logger().warning(f"a picture was not looked at: {words}")

    def _tell(self, deviation: Deviation) -> None:
        self.get_logger().warning(str(deviation))
        self._text.publish(String(data=str(deviation)))
        if self._allowed is not None:
            self._held = str(deviation)
            self._say_whether_motion_is_allowed()

    def _write_down(self, deviation: Deviation, after: float, picture: np.ndarray) -> None:
        try:
            if self._log is not None:
                self._log.add(deviation, after, picture, datetime.now())
        except WriteError as error:
            self.get_logger().error(f"the deviation is not in the log: {error}")

    def _say_whether_motion_is_allowed(self) -> None:
        """Nothing while it should see and does not: who asks for a fresh word then holds."""
        if self._allowed is not None and (self._held or not self._blind):
            self._allowed.publish(Bool(data=not self._held))

    @property
    def _blind(self) -> bool:
        return self._watching.runs and time.monotonic() - self._looked_at > SILENT

    def _begin(self) -> None:
        self._looked_at = time.monotonic()
        self._watching.begin()

    def _publish_diagnostics(self) -> None:
        deviation, trouble = self._deviation, self._trouble
        silent = time.monotonic() - self._looked_at
        if not trouble and self._blind:
            trouble = f"no picture for {silent:.0f} s on {self.resolve_topic_name(self._settings.image)}"
        if deviation is not None:
            level, words = DiagnosticStatus.ERROR, str(deviation)
        elif trouble:
            level, words = DiagnosticStatus.WARN, trouble
        else:
            level, words = DiagnosticStatus.OK, "as usual" if self._watching.runs else "no run is being watched"
        name = self.get_fully_qualified_name().removeprefix("/")
        status = DiagnosticStatus(level=level, name=f"{name}: monitor", hardware_id="vjepa_mpc", message=words)
        status.values = [KeyValue(key="held by", value=self._held)]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``monitor``."""
    return process.run(MonitorNode, NODE, args)


if __name__ == "__main__":
    sys.exit(main())
