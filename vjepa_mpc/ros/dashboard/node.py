"""The operator's page. Run by the executable ``dashboard``.

A process of its own, of lower priority, that speaks over topics and services only, so that it can end at any moment
without consequence: what it had held stays held, and all else goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from rclpy.node import Node

from vjepa_mpc.dashboard.gate import Gate, is_local
from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.page import MissingViserError, Page
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.dashboard.timeline import Recorded
from vjepa_mpc.files import expanded
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.dashboard.asking import Asking
from vjepa_mpc.ros.dashboard.listening import Listening
from vjepa_mpc.ros.dashboard.parameters import NODE, PARAMETERS, DashboardSettings, build_settings
from vjepa_mpc.ros.dashboard.recorded import RecordedTimeline
from vjepa_mpc.ros.dashboard.tuning import Tuning
from vjepa_mpc.ros.parameters.live import LiveParameters, ParameterError
from vjepa_mpc.ros.recorder.topics import full_name

LOOK_PERIOD = 0.5  # seconds between looks at the graph, and at what is shown
HOLD_PERIOD = 0.1  # seconds between words on motion, once HOLD was used
NICENESS = 10  # where processors are short, planner and control loop go first


class DashboardNode(Node):
    """Page, gate and the ways between them and the planner."""

    def __init__(self) -> None:
        super().__init__("dashboard")
        locked = "the page is open; set it when starting the dashboard"
        live: LiveParameters[DashboardSettings] = LiveParameters(
            self, PARAMETERS, build_settings, lambda: locked, lambda _: None
        )
        settings = live.snapshot
        if settings.recording:
            self._page, self._gate = self._open_recording(settings)
        else:
            self._page, self._gate = self._open_live(settings)

    def start(self) -> None:
        """Nothing to start: the page is open."""

    def stop(self) -> bool:
        """Close the page."""
        self._gate.close()
        self._page.close()
        return True

    def _open_live(self, settings: DashboardSettings) -> tuple[Page, Gate]:
        """The page of a running planner, or of one that may yet be started."""
        planner = full_name(settings.planner, self.get_namespace())
        seen, history = Seen(), History()
        self._tuning = Tuning(self, planner, seen)
        asking = Asking(self, planner, seen, self._tuning)
        self._listening = Listening(self, planner, seen, history)
        opened = self._open(settings, lambda: Page(seen, history, asking, planner, settings.goals_path, settings.rate))
        self._timers = [steady_timer(self, LOOK_PERIOD, self._look), steady_timer(self, HOLD_PERIOD, asking.repeat)]
        return opened

    def _open_recording(self, settings: DashboardSettings) -> tuple[Page, Gate]:
        """The page of a recording; nothing is listened to."""
        seen, history = Seen(), History()

        def page() -> Page:
            path = expanded(settings.recording)
            timeline = RecordedTimeline(path, seen, history)
            title = f"{timeline.planner}, recorded: {path.name}"
            return Page(seen, history, Recorded(seen), title, settings.goals_path, settings.rate, timeline)

        return self._open(settings, page)

    def _open(self, settings: DashboardSettings, make_page: Callable[[], Page]) -> tuple[Page, Gate]:
        """The page and the gate before it.

        Raises:
            ParameterError: they cannot be had.
        """
        try:
            token = settings.token()
            page = make_page()
        except (MissingViserError, ValueError) as error:
            raise ParameterError(str(error)) from error
        gate = Gate(settings.host, settings.port, page.inside, token)
        try:
            gate.open()
        except OSError as error:
            page.close()
            raise ParameterError(
                f"host={settings.host}, port={settings.port}: the page cannot be served there "
                f"({error.strerror or error}); another dashboard may run: choose another port"
            ) from error
        self._tell(settings.host, gate.port, token)
        return page, gate

    def _tell(self, host: str, port: int, token: str) -> None:
        """The address, printed rather than logged: logs go to /rosout, and the token is for who started this."""
        shown = "127.0.0.1" if is_local(host) or host in ("0.0.0.0", "::") else host
        print(f"the operator's page: http://{shown}:{port}/", flush=True)
        if token:
            name = os.uname().nodename if host in ("0.0.0.0", "::") else host
            print(f"from other machines: http://{name}:{port}/?token={token}", flush=True)

    def _look(self) -> None:
        page = self._page
        there = self._listening.look(page.viewers, page.wants_surprise, page.wants_candidates)
        self._tuning.look(there)


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``dashboard``."""
    os.nice(NICENESS)
    return process.run(DashboardNode, NODE, args)


if __name__ == "__main__":
    sys.exit(main())
