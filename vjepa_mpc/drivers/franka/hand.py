"""The Franka Hand through libfranka. Its commands take up to a second, so they run on a thread of their own."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from vjepa_mpc.drivers.franka.settings import HandSettings

# A width this much below the present one is a wish to close: on something, for all the driver knows.
CLOSING = 0.002
MOVED = 0.005  # metres: fingers this far from where a command left them have been moved by something else
_ANY_WIDTH = 0.1  # metres: tolerance that lets a grasp succeed at whatever width the object has

_log = logging.getLogger(__name__)


class LibfrankaHand:
    """Reads the fingers' distance, and opens and closes them, over connections that come and go.

    Closing is a grasp, which keeps pressing on what comes between the fingers; opening is a plain move. Commands are
    sent one at a time, the newest next, and not again while they still hold: a busy hand is never waited for.

    Args:
        connect: makes a connection (`franky.Gripper`), or raises.
        settings: speeds and rates.
    """

    def __init__(self, connect: Callable[[], Any], settings: HandSettings) -> None:
        self._connect, self._settings = connect, settings
        self._changed = threading.Condition()
        self._gripper: Any = None
        self._wanted: float | None = None
        self._sent: float | None = None
        self._result: float | None = None  # width that the last command ended at
        self._stopping = False
        self.width: float | None = None
        self.problem = "not connected yet"
        # Daemons: a blocking call over a dead connection must not keep the process.
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._read_on, "hand state"), (self._command_on, "hand commands"))
        ]

    def start(self) -> None:
        """Start connecting; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """End the threads; False: one hangs in a command and is left behind."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def command(self, width: float) -> None:
        """Open or close to a distance between the fingers, metres; returns at once.

        Raises:
            ValueError: the width is not finite.
        """
        if not math.isfinite(width):
            raise ValueError(f"hand width {width} is not finite: send metres between the fingers")
        width = max(0.0, width)
        with self._changed:
            if width == self._sent and not self._moved():
                self._wanted = None  # what came in between is obsolete
                return
            self._wanted = width
            self._changed.notify_all()

    def _moved(self) -> bool:
        """Whether the fingers have left the place that the last command took them to."""
        result, width = self._result, self.width
        return result is not None and width is not None and abs(result - width) > MOVED

    def _read_on(self) -> None:
        """Connect, and keep the width up to date."""
        while not self._pause(0.0 if self._gripper is None else 1.0 / self._settings.rate):
            try:
                if self._gripper is None:
                    gripper = self._connect()
                    with self._changed:
                        self._gripper, self._wanted, self._sent = gripper, None, None  # no old command moves it
                        self._changed.notify_all()
                self.width, self.problem = float(self._gripper.width), ""
            except Exception as error:  # franky's and Poco's have no common base
                with self._changed:
                    self._gripper = None
                self.width, self.problem = None, str(error)
                if self._pause(self._settings.retry_period):
                    return

    def _command_on(self) -> None:
        """Send what is wanted whenever it differs from what was sent."""
        while (command := self._next_command()) is not None:
            gripper, width = command
            try:
                self._execute(gripper, width)
                self._result = self.width = float(gripper.width)
            except Exception as error:
                with self._changed:
                    self._sent = None  # the same again is no repetition
                _log.warning("the hand did not take the width %.3f m: %s", width, error)

    def _next_command(self) -> tuple[Any, float] | None:
        """Wait for one that is to be sent; None: stop."""
        with self._changed:
            while not self._stopping:
                if self._gripper is not None and self._wanted is not None:
                    self._sent, self._result, self._wanted = self._wanted, None, None
                    return self._gripper, self._sent
                self._changed.wait()
        return None

    def _execute(self, gripper: Any, wanted: float) -> None:
        if self.width is not None and wanted < self.width - CLOSING:
            gripper.grasp(wanted, self._settings.speed, self._settings.force, _ANY_WIDTH, _ANY_WIDTH)
        else:
            gripper.move(min(wanted, gripper.max_width), self._settings.speed)

    def _pause(self, seconds: float) -> bool:
        """Wait; True: stop."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping, timeout=seconds)
