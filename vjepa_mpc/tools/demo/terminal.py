"""What the demo shows on a terminal while it runs."""

from __future__ import annotations

import shutil
import sys
import time


class LiveLine:
    """One line that is written over on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0

    def show(self, text: str) -> None:
        """Replace the line."""
        now = time.monotonic()
        if self._terminal:
            print("\r\033[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)
        elif now >= self._next:
            self._next = now + 5.0
            print(text, flush=True)

    def end(self, text: str) -> None:
        """Write a line that stays."""
        print(("\r\033[K" if self._terminal else "") + text, flush=True)


def bar(share: float, width: int = 20) -> str:
    """A progress bar."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "[" + "#" * full + "-" * (width - full) + "]"
