"""A real `ros2 launch` as a process, and a launch description that is looked at without starting anything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vjepa_mpc.ros.parameters.yaml_text import read_parameter_file
from vjepa_mpc.tools.processes import local_environment

needs_ros2 = pytest.mark.skipif(shutil.which("ros2") is None, reason="the ros2 command is not installed")
STARTED = re.compile(r"process started with pid \[(\d+)\]")


class Launch:
    """`ros2 launch` and what it has printed."""

    def __init__(self, log: Path, domain: int, what: Sequence[str]) -> None:
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                ["ros2", "launch", *what],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**local_environment(domain), "ROS_LOG_DIR": str(log.parent / "ros_log")},
                start_new_session=True,
            )

    def output(self) -> str:
        """What it has printed up to now."""
        return self._log.read_text(errors="replace")

    def nodes(self) -> list[int]:
        """The process ids of those of its nodes that live."""
        return [number for number in map(int, STARTED.findall(self.output())) if Path(f"/proc/{number}").exists()]

    def wait_for(self, accept: Callable[[], Any], timeout: float = 60.0) -> None:
        """Until something is so."""
        deadline = time.monotonic() + timeout
        while not accept():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def wait_for_output(self, text: str, count: int = 1) -> None:
        """Until it has printed a text."""
        self.wait_for(lambda: self.output().count(text) >= count)

    def interrupt(self) -> int:
        """SIGINT, which it passes on to its nodes; the exit status.

        A terminal sends it to all of them at once. When a node ends before launch has got round to its own signal,
        launch takes its exit status to be 255, whatever it was.
        """
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30.0)


@contextmanager
def launched(log: Path, domain: int, *what: str) -> Iterator[Launch]:
    """A launch that is ended, with all of its nodes, whatever happens."""
    launch = Launch(log, domain, what)
    try:
        yield launch
    finally:
        if launch.process.poll() is None:
            launch.interrupt()
        for number in launch.nodes():
            os.kill(number, signal.SIGKILL)


def nodes_of(description: Any, arguments: dict[str, str] | None = None) -> list[Any]:
    """The nodes that a launch description would start, in order; their ``cmd`` is as it would be run.

    Args:
        description: an action or launch description.
        arguments: launch configurations to begin with.
    """
    from launch import LaunchContext
    from launch_ros.actions import Node

    context = LaunchContext()
    context.launch_configurations.update(arguments or {})
    nodes = []

    def visit(entity: Any) -> None:
        if isinstance(entity, Node):
            entity._perform_substitutions(context)
            nodes.append(entity)
            return
        for child in entity.visit(context) or ():
            visit(child)

    visit(description)
    return nodes


def parameters_given(node: Any) -> dict[str, Any]:
    """What the parameter files of a node that `nodes_of` gave say, in their order; a later one overrides."""
    values: dict[str, Any] = {}
    for file, is_file in node._Node__expanded_parameter_arguments or ():
        assert is_file
        values |= {entry.name: entry.value for entry in read_parameter_file(file).entries}
    return values
