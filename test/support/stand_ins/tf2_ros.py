"""As much of tf2_ros as the planner uses. What would come over /tf is put into `KNOWN`."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped

KNOWN: dict[tuple[str, str], TransformStamped] = {}
"""Transforms by (target frame, source frame)."""


class TransformException(Exception):  # noqa: N818  # as tf2 calls it
    """The base of all that tf2 raises."""


class LookupException(TransformException):
    """There is no such frame."""


class Buffer:
    """Holds the transforms."""

    def lookup_transform(self, target_frame: str, source_frame: str, time: Any) -> TransformStamped:
        """From the source to the target frame."""
        try:
            return KNOWN[target_frame, source_frame]
        except KeyError:
            words = f'"{source_frame}" passed to lookupTransform argument source_frame does not exist. '
            raise LookupException(words) from None


class TransformListener:
    """Fills a buffer."""

    def __init__(self, buffer: Buffer, node: Any, *, spin_thread: bool) -> None:
        assert not spin_thread, "the node's own executor serves it"

    def unregister(self) -> None:
        """Listen no more."""
