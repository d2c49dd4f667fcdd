"""What the page listens to: little while nobody looks at it, and each thing only while it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image, JointState

from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.msg import GoalPictures, PlanCandidates, PlanRecord, PlanStatus
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.graph import is_reliable
from vjepa_mpc.ros.common.optional_interfaces import MissingInterfaceError
from vjepa_mpc.ros.dashboard import reading
from vjepa_mpc.ros.dashboard.graph import subscriptions_of
from vjepa_mpc.ros.recorder.topics import exists

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
NEWEST = QoSProfile(depth=1)
CAMERA, COMPRESSED, POSE, JOINTS = (
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
    "geometry_msgs/msg/PoseStamped",
    "sensor_msgs/msg/JointState",
)
_CLASSES = {CAMERA: Image, COMPRESSED: CompressedImage, POSE: PoseStamped, JOINTS: JointState}
GONE = "{planner} does not run, or is not to be seen from here: start it; this page goes on by itself then"


class Listening:
    """Subscriptions of the page. All calls come from the executor's thread.

    Args:
        node: which subscribes.
        planner: full name of the planner.
        seen: what is filled.
        history: likewise.
    """

    def __init__(self, node: Node, planner: str, seen: Seen, history: History) -> None:
        self._node, self._planner, self._seen, self._history = node, planner, seen, history
        self._heard: dict[str, Subscription] = {}
        self._off: set[str] = set()  # topics whose message package is not installed

    def look(self, viewers: int, surprise: bool, candidates: bool) -> bool:
        """Listen to what is shown now, and to no more; whether the planner is there."""
        there = exists(self._node, self._planner)
        self._seen.trouble = "" if there else GONE.format(planner=self._planner)
        if not there:
            reading.forget(self._seen)
        wanted = self._always()
        if viewers and there:
            wanted |= self._shown(surprise, candidates) | self._inputs()
        for name in self._heard.keys() - wanted.keys():
            self._node.destroy_subscription(self._heard.pop(name))
        for name, (kind, topic, receive, profile) in wanted.items():
            if name not in self._heard:
                self._heard[name] = self._node.create_subscription(kind, topic, receive, profile)
        self._forget_unheard()
        return there

    def _always(self) -> dict[str, Any]:
        """Cheap, and without it the plots would begin when somebody looks."""
        return self._own("status", PlanStatus, self._on_status, LATCHED)

    def _shown(self, surprise: bool, candidates: bool) -> dict[str, Any]:
        seen = self._seen
        imagination = f"{self._planner}/imagination"
        seen.imagination_source = bool(self._node.get_publishers_info_by_topic(imagination))
        wanted = self._own("goal", GoalPictures, self._set("goal", reading.goal_of), LATCHED)
        wanted |= self._own("plan_record", PlanRecord, self._set("state", reading.state_of), NEWEST)
        wanted |= {"/diagnostics": (DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=10))}
        wanted |= self._optional("markers", optional_interfaces.marker_array, reading.take_markers)
        wanted |= self._optional("plan", optional_interfaces.path, reading.take_path)
        if seen.imagination_source:
            wanted |= self._own("imagination", Image, self._set("imagination", reading.picture_of), NEWEST)
        if surprise:
            wanted |= self._own("surprise", Image, self._set("surprise", reading.picture_of), NEWEST)
        if candidates:
            wanted |= self._own("energies", PlanCandidates, lambda each: reading.take_candidates(seen, each), NEWEST)
        return wanted

    def _inputs(self) -> dict[str, Any]:
        """What the planner itself listens to, whatever it was remapped to."""
        found = subscriptions_of(self._node, self._planner)
        receivers: dict[str, Callable[[Any], None]] = {
            CAMERA: self._set("camera", reading.picture_of),
            COMPRESSED: self._set("camera", reading.picture_of),
            POSE: self._on_pose,
            JOINTS: lambda each: reading.take_joints(self._seen, each),
        }
        wanted = {}
        for topic, kinds in found:
            for kind in set(kinds) & receivers.keys():
                reliable = self._is_reliable(topic)
                profile = QoSProfile(depth=1, reliability=reliable)
                wanted[f"{topic} {kind} {reliable.name}"] = (_CLASSES[kind], topic, receivers[kind], profile)
        return wanted

    def _is_reliable(self, topic: str) -> ReliabilityPolicy:
        infos = self._node.get_publishers_info_by_topic(topic)
        reliable = bool(infos) and all(map(is_reliable, infos))
        return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

    def _own(self, name: str, kind: Any, receive: Callable[[Any], None], profile: QoSProfile) -> dict[str, Any]:
        """One of the planner's topics."""
        topic = f"{self._planner}/{name}"
        return {topic: (kind, topic, receive, profile)}

    def _optional(self, name: str, kind: Callable[[], Any], take: Callable[[Seen, Any], None]) -> dict[str, Any]:
        """One whose package may be missing; it is said once."""
        if name in self._off:
            return {}
        try:
            return self._own(name, kind(), lambda message: take(self._seen, message), NEWEST)
        except MissingInterfaceError as error:
            self._off.add(name)
            self._node.get_logger().warning(f"~/{name} is not shown: {error}")
            return {}

    def _set(self, attribute: str, read: Callable[[Any], Any]) -> Callable[[Any], None]:
        return lambda message: setattr(self._seen, attribute, read(message))

    def _forget_unheard(self) -> None:
        """What is not listened to would be taken for new when it is shown again."""
        own = {name.removeprefix(f"{self._planner}/") for name in self._heard}
        for topic, attribute in (("surprise", "surprise"), ("energies", "candidates"), ("imagination", "imagination")):
            if topic not in own:
                setattr(self._seen, attribute, None)

    def _on_status(self, message: Any) -> None:
        status = reading.status_of(message)
        if not status.goal_id:
            self._seen.elites = self._seen.candidates = self._seen.chosen = self._seen.target = None
        self._seen.status = status
        self._history.note(status, self._seen.pose)

    def _on_pose(self, message: Any) -> None:
        self._seen.pose = reading.pose_of(message) or self._seen.pose

    def _on_diagnostics(self, message: Any) -> None:
        ages = reading.ages_of(message, self._planner)
        if ages:
            self._seen.ages = ages
