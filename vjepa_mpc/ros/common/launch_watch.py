"""A node that a launch file started ends when that launch has died.

launch ends its nodes when it ends in order. When it is killed, or fails, they would go on with nobody to stop them.
"""

from __future__ import annotations

import os
import threading

VARIABLE = "VJEPA_MPC_LAUNCH_PID"
PERIOD = 0.5  # seconds between looks


def environment(launch: int) -> dict[str, str]:
    """What a launch file adds to a node's environment; ``launch`` is its own process id."""
    return {VARIABLE: str(launch)}


def end_with_launch(stopping: threading.Event) -> bool:
    """Set ``stopping`` when the launch that started this process is gone; False: none did, nothing is watched."""
    launch = os.environ.get(VARIABLE, "")
    if not launch.isdigit():
        return False
    # A child is told by its parent's number, which changes at once; behind a launch-prefix it is a grandchild.
    is_child = os.getppid() == int(launch)
    threading.Thread(target=_watch, args=(int(launch), is_child, stopping), name="launch watch", daemon=True).start()
    return True


def _watch(launch: int, is_child: bool, stopping: threading.Event) -> None:
    while os.getppid() == launch if is_child else _exists(launch):
        if stopping.wait(PERIOD):
            return
    stopping.set()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
