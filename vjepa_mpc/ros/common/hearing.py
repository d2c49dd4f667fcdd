"""Subscriptions that hear whoever publishes on their topic, and as reliably as that is offered.

A reliable subscription gets nothing from best-effort publishers. A best-effort one hears all, and loses most of what is
larger than half a megabyte, because one lost fragment loses the message. So each topic's subscription asks for what its
publishers offer, and is made anew when they change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy import subscription
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vjepa_mpc.ros.common.graph import is_latched, is_reliable, name_of
from vjepa_mpc.ros.common.timers import steady_timer

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

LOOK_PERIOD = 0.5  # seconds between looks at who publishes
HEARS_ALL = (False, False)  # neither reliable nor latched: every publisher offers that, and maybe more
KEPT = 100  # messages of a topic of which none may be missed: several publishers share one queue

MessageInfo = Mapping[str, Any]
"""What rclpy tells about a message; before ROS 2 Iron nothing, and before Kilted without ``publisher_gid``."""

_TOLD = hasattr(subscription, "MessageInfo")


class Heard:
    """One topic that is listened to.

    Args:
        node: which listens.
        kind: class of the messages.
        topic: name before remapping.
        callback: gets message and :data:`MessageInfo`, on the executor's thread.
        everything: no message may be missed, and the last one of latching publishers is wanted, too. A message then may
            come several times, and an older one after a newer; its ``source_timestamp`` tells.

    Attributes:
        name: the resolved name.
        kind: as in ROS, such as "sensor_msgs/msg/Image".
        publishers: who publishes there, of any type, as the graph told last.
        on_look: called after each look at the publishers.
    """

    def __init__(
        self, node: Node, kind: Any, topic: str, callback: Callable[[Any, MessageInfo], None], *, everything: bool
    ) -> None:
        self._node, self._message = node, kind
        self.name = node.resolve_topic_name(topic)
        self.kind = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
        self.publishers: tuple[Any, ...] = ()
        self.on_look: Callable[[], None] = lambda: None
        self._topic = topic
        self._callback = callback if _TOLD else lambda message, *_: callback(message, {})
        self._everything = everything
        self._subscriptions = {HEARS_ALL: self._subscribe(*HEARS_ALL)}

    @property
    def reliable(self) -> bool:
        """Whether what gets lost is sent again."""
        return any(reliable for reliable, _ in self._subscriptions)

    @property
    def others(self) -> list[str]:
        """Who publishes another type there, in words; nothing of it is heard."""
        return [f"{info.topic_type} from {name_of(info)}" for info in self.publishers if info.topic_type != self.kind]

    def see(self) -> None:
        """Ask the graph who publishes; any thread."""
        self.publishers = tuple(self._node.get_publishers_info_by_topic(self.name))
        self.on_look()

    def match(self) -> None:
        """Ask for what the publishers offer; from a timer of the node, or where nothing spins it."""
        heard = [info for info in self.publishers if info.topic_type == self.kind]
        if heard:
            self._ask_for(self._wanted(heard))

    def destroy(self) -> None:
        """Listen no more."""
        for each in self._subscriptions.values():
            self._node.destroy_subscription(each)

    def _wanted(self, heard: list[Any]) -> set[tuple[bool, bool]]:
        """What subscriptions have to ask for: whether it is reliable, and latched."""
        if self._everything:
            return {HEARS_ALL, *((True, is_latched(info)) for info in heard if is_reliable(info))}
        return {(all(map(is_reliable, heard)), False)}

    def _ask_for(self, wanted: set[tuple[bool, bool]]) -> None:
        old = self._subscriptions
        # The new ones first, so that nothing is missed between them.
        self._subscriptions = {each: old.get(each) or self._subscribe(*each) for each in sorted(wanted)}
        for each in old.keys() - wanted:
            self._node.destroy_subscription(old[each])

    def _subscribe(self, reliable: bool, latched: bool) -> Any:
        profile = QoSProfile(
            depth=KEPT if self._everything else 1,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        # Publishers that one of the subscriptions cannot hear are heard by another: rclpy need not warn of them.
        silent = SubscriptionEventCallbacks(use_default_callbacks=False)
        return self._node.create_subscription(
            self._message, self._topic, self._callback, profile, event_callbacks=silent
        )


class Hearing:
    """All topics that a node's part listens to. A timer looks at their publishers.

    Subscriptions are exchanged in that timer's callback only, on the executor's thread, which uses none at that moment.

    Args:
        node: which listens.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._topics: list[Heard] = []
        self._timer = steady_timer(node, LOOK_PERIOD, self.look)

    def listen(
        self,
        kind: Any,
        topic: str,
        callback: Callable[[Any, MessageInfo], None],
        *,
        everything: bool = False,
    ) -> Heard:
        """Listen to one more topic; see :class:`Heard`."""
        self._topics.append(Heard(self._node, kind, topic, callback, everything=everything))
        return self._topics[-1]

    @property
    def unheard(self) -> str:
        """Who publishes another type than is listened to, in words; empty when nobody does."""
        return "; ".join(
            f"{topic.name} has {', '.join(others)}, and {topic.kind} is wanted"
            for topic in self._topics
            if (others := topic.others)
        )

    def look(self) -> None:
        """See who publishes; every half second by itself."""
        for topic in self._topics:
            topic.see()
            topic.match()

    def destroy(self) -> None:
        """Listen no more."""
        self._node.destroy_timer(self._timer)
        for topic in self._topics:
            topic.destroy()
