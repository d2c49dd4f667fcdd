"""Who says on ~/motion_allowed whether the arm may move; each publisher has a say of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from std_msgs.msg import Bool

from vjepa_mpc.ros.common.graph import is_named, name_of
from vjepa_mpc.ros.common.hearing import Hearing, MessageInfo
from vjepa_mpc.safety.samples import Voice

COMMAND_LINE = "the command line"  # a tool there publishes from a node of its own each time; to its user it is one
_GID = 16  # bytes of a publisher's id that count; ROS 2 releases pad it differently


@dataclass(frozen=True)
class _Said:
    allowed: bool
    received: float  # steady seconds
    sent: int  # the publisher's nanoseconds


class Permissions:
    """The newest word of every publisher. What one says is not overruled by what another says.

    A publisher that has gone keeps its word until its node publishes again, or until the planner is activated anew. A
    ROS 2 release that does not tell publishers apart (before Kilted) leaves one voice to all of them; while there are
    several, its ``false`` is not taken back by a ``true``, which may be another one's.

    Threads: the executor's listens; any may call the rest.

    Args:
        hearing: what listens.
        topic: before remapping.
    """

    def __init__(self, hearing: Hearing, topic: str) -> None:
        self._lock = threading.Lock()
        self._said: dict[bytes, _Said] = {}  # by publisher id, empty where it is not told; replaced as a whole
        self._names: dict[bytes, str] = {}
        self._present: frozenset[bytes] = frozenset()
        self.topic = hearing.listen(Bool, topic, self._on_message, everything=True)
        self.topic.on_look = self._on_look

    @property
    def voices(self) -> tuple[Voice, ...]:
        """What everybody who was heard says."""
        said = self._said
        return tuple(
            Voice(each.allowed, self._who(publisher), each.received)
            for publisher, each in said.items()
            if not self._superseded(publisher, said)
        )

    def forget_gone(self) -> None:
        """Whoever publishes no more has no say any more."""
        self.topic.see()
        with self._lock:
            self._said = {publisher: each for publisher, each in self._said.items() if self._is_present(publisher)}

    def _on_message(self, message: Bool, info: MessageInfo) -> None:
        publisher = _publisher(info)
        if publisher and publisher not in self._names:
            self.topic.see()
        new = _Said(message.data, time.monotonic(), info.get("source_timestamp", 0))
        with self._lock:
            old = self._said.get(publisher)
            # Several subscriptions listen, and what one of them brings may be older than what another has brought.
            if old is None or (new.sent >= old.sent and (publisher or not self._may_be_another_s(new, old))):
                self._said = {**self._said, publisher: new}

    def _may_be_another_s(self, new: _Said, old: _Said) -> bool:
        return new.allowed and not old.allowed and len(self.topic.publishers) > 1

    def _on_look(self) -> None:
        found = {bytes(info.endpoint_gid)[:_GID]: info for info in self.topic.publishers}
        self._present = frozenset(found)
        self._names = {**self._names, **{each: _name(info) for each, info in found.items() if is_named(info)}}

    def _is_present(self, publisher: bytes) -> bool:
        return publisher in self._present or (not publisher and bool(self._present))

    def _superseded(self, publisher: bytes, said: dict[bytes, _Said]) -> bool:
        """Whether it has gone and its node has spoken again since."""
        name = self._names.get(publisher)
        if name is None or self._is_present(publisher):
            return False
        return any(
            self._names.get(other) == name and each.received > said[publisher].received for other, each in said.items()
        )

    def _who(self, publisher: bytes) -> str:
        if not publisher:
            count = len(self.topic.publishers)
            apart = "this ROS release does not tell them apart: have one node say it for all"
            return "its publisher" if count == 1 else f"one of its {count} publishers; {apart}"
        name = self._names.get(publisher, "a publisher of unknown name")
        return name if publisher in self._present or publisher not in self._names else f"{name}, which is gone"


def _publisher(info: MessageInfo) -> bytes:
    gid = info.get("publisher_gid")
    return b"" if gid is None else bytes(gid["data"])[:_GID]


def _name(info: Any) -> str:
    hidden = info.node_name.startswith("_")  # as those of ROS's own tools
    return COMMAND_LINE if hidden else name_of(info)
