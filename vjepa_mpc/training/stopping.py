"""A run that is asked to end saves first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vjepa_mpc.exit_status import ExitStatus


class StopRequest:
    """SIGTERM and SIGINT ask the run to save and end; a second SIGINT ends it at once, as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._by = signal.SIGTERM

    @property
    def status(self) -> ExitStatus:
        """Of a run that has ended in order as it was asked to: a scheduler's SIGTERM is no failure."""
        return ExitStatus.INTERRUPTED if self._by == signal.SIGINT else ExitStatus.DONE

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Take both signals while the block runs."""
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested, self._by = True, signal.Signals(number)
