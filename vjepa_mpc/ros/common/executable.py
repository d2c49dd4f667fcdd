"""How an executable begins and ends: it minds signals before it imports, and tears nothing down that need not be."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def load(module: str, interrupted: int = 0) -> Callable[[], int]:
    """Import a module and return its ``main``; a signal meanwhile ends the process at once.

    Args:
        module: dotted name.
        interrupted: exit status after a signal.

    Raises:
        ModuleNotFoundError: it, or something that it imports, is not there.
    """
    # Nothing has been started yet that would have to be ended in order. The node's own handlers follow.
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # e.g. under nohup
            signal.signal(number, lambda *_: os._exit(interrupted))
    main: Callable[[], int] = importlib.import_module(module).main
    return main


def end(status: int) -> NoReturn:
    """End the process, after its ``main`` has ended all that was under way.

    On a busy machine the interpreter takes seconds to tear down the modules of PyTorch and MuJoCo, and ``ros2 launch``
    kills what has not ended five seconds after Ctrl-C.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
