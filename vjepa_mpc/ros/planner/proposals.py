"""Action sequences from elsewhere, as a policy publishes them, for the next plan."""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from vjepa_mpc.ros.common.conversions import proposals_of
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.sanity import check_moves

TOPIC = "~/proposals"
WARNING_PERIOD = 5.0  # seconds


class Proposals:
    """The newest usable message. Each is for one plan, and only while it is as new as an image would have to be.

    Threads: the executor's, whose callback stores, and the control loop's, which takes.

    Args:
        node: for its log.
        guards: how old an image may be, and what is right for this robot though it looks wrong; None where nothing is
            planned because there is no workspace.

    Attributes:
        used: plans that were given proposals.
        refused: messages that were not usable.
        outdated: messages that nothing was planned in time for.
    """

    def __init__(self, node: Node, guards: SupervisorConfig | None) -> None:
        self._node, self._topic = node, node.resolve_topic_name(TOPIC)
        self._max_age = 0.0 if guards is None else guards.image_timeout  # by reception: there is no stamp
        self._ignore = frozenset() if guards is None else guards.ignore_sanity
        self._newest: tuple[np.ndarray, float] | None = None
        self._taken: tuple[np.ndarray, float] | None = None
        self.used = self.refused = self.outdated = 0

    def on_message(self, message: Float64MultiArray) -> None:
        """Keep it, if it is usable, instead of the one before."""
        received = time.monotonic()
        try:
            actions = proposals_of(message)
            if found := check_moves(actions, self._ignore):
                raise ValueError("; ".join(map(str, found)))
        except ValueError as error:
            self.refused += 1
            words = f"{self._topic}: proposals refused: {error}"
            self._node.get_logger().warning(words, throttle_duration_sec=WARNING_PERIOD)
            return
        self._newest = (actions, received)

    def take(self, now: float) -> np.ndarray | None:
        """[P, H, 7] for a plan that begins now, in steady seconds; None when there are no new ones."""
        newest = self._newest
        if newest is None or newest is self._taken:
            return None
        self._taken = newest
        actions, received = newest
        if now - received > self._max_age:
            self.outdated += 1
            return None
        self.used += 1
        return actions

    def forget(self) -> None:
        """Wait for a new message."""
        self._newest = None

    def summary(self) -> dict[str, str]:
        """What became of them, for diagnostics."""
        return {
            "plans with proposals": str(self.used),
            "proposals refused": str(self.refused),
            "proposals outdated": str(self.outdated),
        }
