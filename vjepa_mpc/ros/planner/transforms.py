"""Poses from another frame, turned into the robot base frame by tf2, where that is installed."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.time import Time

from vjepa_mpc.geometry.quaternion import quaternion_multiply, rotate
from vjepa_mpc.safety.samples import PoseSample


class Transforms:
    """Listens to /tf and /tf_static from the first pose on that is in another frame.

    Args:
        node: which listens.
        frame_id: the robot base frame.
    """

    def __init__(self, node: Node, frame_id: str) -> None:
        self._node, self._frame_id = node, frame_id
        self._tf2: Any | None = None
        self._absent = False  # whether tf2 was looked for in vain
        self._buffer: Any | None = None
        self._listener: Any | None = None

    def to_base(self, sample: PoseSample, message: PoseStamped) -> PoseSample:
        """The sample in the base frame, as that lay at the sample's time; else as it is, with why in ``untransformed``.

        A sample that names no frame, or comes while tf2 is not installed, stays as it is.
        """
        if sample.frame_id in ("", self._frame_id) or not self._listens():
            return sample
        assert self._tf2 is not None and self._buffer is not None
        at = Time.from_msg(message.header.stamp)
        try:
            found = self._buffer.lookup_transform(self._frame_id, sample.frame_id, at).transform
        except self._tf2.TransformException as error:
            return replace(sample, untransformed=" ".join(str(error).split()) or type(error).__name__)
        turn = np.array([found.rotation.x, found.rotation.y, found.rotation.z, found.rotation.w])
        origin = np.array([found.translation.x, found.translation.y, found.translation.z])
        return replace(
            sample,
            position=origin + rotate(turn, sample.position),
            quaternion=quaternion_multiply(turn, sample.quaternion),
            frame_id=self._frame_id,
        )

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.unregister()
        self._buffer = self._listener = None

    def _listens(self) -> bool:
        """Whether there is a buffer; false where tf2 is not installed."""
        if self._buffer is None and not self._absent:
            try:
                self._tf2 = importlib.import_module("tf2_ros")
            except ImportError:
                self._absent = True
                return False
            self._buffer = self._tf2.Buffer()
            self._listener = self._tf2.TransformListener(self._buffer, self._node, spin_thread=False)
        return not self._absent
