"""A node's process ends when its launch has died, and only then."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from vjepa_mpc.ros.common import launch_watch


def test_nothing_is_watched_without_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(launch_watch.VARIABLE, raising=False)
    assert not launch_watch.end_with_launch(threading.Event())


def test_the_end_of_the_launch_stops_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is not the parent, as behind a launch-prefix."""
    launch = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    for name, value in launch_watch.environment(launch.pid).items():
        monkeypatch.setenv(name, value)
    stopping = threading.Event()
    assert launch_watch.end_with_launch(stopping)
    assert not stopping.wait(3 * launch_watch.PERIOD)
    launch.communicate(b"\n")
    assert stopping.wait(10.0)
