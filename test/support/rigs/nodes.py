"""Nodes in this process, each as if in one of its own, and an executor that is turned until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vjepa_mpc.tools.processes import DomainLease

TIMEOUT = 10.0  # seconds


class Nodes:
    """Makes nodes, all in one domain of their own; see :func:`nodes`.

    Attributes:
        domain: ROS domain id.
    """

    def __init__(self) -> None:
        self.domain = DomainLease().domain_id
        self._nodes: dict[Node, SingleThreadedExecutor] = {}

    def __call__(self, name: str, *arguments: str) -> Node:
        """A node, with arguments in ROS's own notation, such as "-r", "a:=b"."""
        context = Context()
        rclpy.init(context=context, domain_id=self.domain)
        node = Node(name, context=context, cli_args=["--ros-args", *arguments])
        self._nodes[node] = SingleThreadedExecutor(context=context)
        self._nodes[node].add_node(node)
        return node

    def spin_until(self, what: Callable[[], object], timeout: float = TIMEOUT) -> bool:
        """Serve the callbacks of all nodes until something is so; False when it is not in time."""
        deadline = time.monotonic() + timeout
        while not what():
            if time.monotonic() > deadline:
                return False
            for executor in list(self._nodes.values()):
                executor.spin_once(timeout_sec=0.01)
        return True

    def end(self, node: Node) -> None:
        """As if its process had ended."""
        self._nodes.pop(node).shutdown()
        node.destroy_node()
        rclpy.shutdown(context=node.context)

    def end_all(self) -> None:
        """End them all."""
        for node in list(self._nodes):
            self.end(node)


@contextmanager
def nodes() -> Iterator[Nodes]:
    """Nodes that end with this context."""
    made = Nodes()
    try:
        yield made
    finally:
        made.end_all()
