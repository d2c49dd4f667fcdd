"""How an executable begins: signals are minded before the imports, which take seconds."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def load(module: str, interrupted: int = 0) -> Callable[[], int]:
    """Import a module and return its ``main``; a signal meanwhile ends the process at once.

    Args:
        module: dotted name.
        interrupted: exit status after a signal.

    Raises:
        ModuleNotFoundError: it, or something that it imports, is not there.
    """
    # Nothing has been started yet that would have to be ended in order.
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # e.g. under nohup
            signal.signal(number, lambda *_: os._exit(interrupted))
    main: Callable[[], int] = importlib.import_module(module).main
    return main
