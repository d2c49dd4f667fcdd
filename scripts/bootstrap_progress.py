"""The line that a stage of the set-up shows while it works. Standard library only, like :mod:`bootstrap`."""

from __future__ import annotations

import shutil
import sys
import threading
import time


class Progress:
    """One line a stage, kept alive while its command is silent: every second on a terminal, every ten elsewhere."""

    def __init__(self, label):
        self._label = label
        self._start = time.monotonic()
        self._line = "..."
        self._tty = sys.stdout.isatty()
        self._closed = threading.Event()
        print(f"==> {label}", end="" if self._tty else "\n", flush=True)
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def update(self, line):
        """Note the newest line of the command's output."""
        if not line.startswith(("WARNING", "Requirement already", " ", "\n")):
            self._line = line.strip()

    def close(self, outcome):
        """End the stage's line."""
        self._closed.set()
        self._ticker.join()
        start = f"\r\033[K==> {self._label}: " if self._tty else "    "
        print(f"{start}{outcome} in {time.monotonic() - self._start:.0f} s", flush=True)

    def _tick(self):
        while not self._closed.wait(1.0 if self._tty else 10.0):
            text = f"{time.monotonic() - self._start:.0f} s: {self._line}"
            if self._tty:
                width = shutil.get_terminal_size().columns - 1
                print("\r\033[K" + f"==> {self._label}, {text}"[:width], end="", flush=True)
            else:
                print(f"    {text[:160]}", flush=True)
