"""How the operating system and the interpreter treat the control loop's thread, so that set-points keep their pace."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from vjepa_mpc.options import check_options, option

_MCL_CURRENT = 1  # of mlockall(2): what is in use now. What comes later could fail for want of lockable memory.


def _processors(text: str) -> frozenset[int]:
    """The numbers of processors, from comma-separated text."""
    try:
        numbers = frozenset(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise ValueError("give numbers of processors, separated by commas, such as 2,3") from None
    if unknown := sorted(number for number in numbers if number not in range(os.cpu_count() or 1)):
        raise ValueError(f"there is no processor {unknown[0]}: this machine has 0 to {(os.cpu_count() or 1) - 1}")
    return numbers


@dataclass(frozen=True, kw_only=True)
class RealtimeSettings:
    """What is asked of the operating system for the control loop's thread; all off by default.

    Raises:
        ValueError: an option is out of its range.
    """

    priority: int = option(
        0,
        "Real-time priority (SCHED_FIFO) of the thread that sends set-points; 0 for none. Needs the right to it; "
        "without it a line says so and the node runs as before.",
        low=0,
        high=99,
    )
    processors: frozenset[int] = option(
        frozenset(),
        "Processors that the thread that sends set-points may run on, such as 2,3; empty for all.",
        to_plain=lambda numbers: ",".join(map(str, sorted(numbers))),
        from_plain=_processors,
    )
    lock_memory: bool = option(
        False, "Lock the memory that the node uses once its model is loaded, so that none of it is swapped out."
    )

    def __post_init__(self) -> None:
        check_options(self)


def prepare_thread(settings: RealtimeSettings) -> list[str]:
    """Give the calling thread its priority and processors; returns in words what was not permitted."""
    wishes: list[tuple[bool, Callable[[], None], str]] = [
        (
            settings.priority > 0,
            lambda: os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(settings.priority)),
            f"realtime.priority={settings.priority}: the control loop has no real-time priority ({{error}}); allow it, "
            "e.g. by a line `@realtime - rtprio 99` in /etc/security/limits.conf, or docker run --cap-add=SYS_NICE",
        ),
        (
            bool(settings.processors),
            lambda: os.sched_setaffinity(0, settings.processors),
            f"realtime.processors={sorted(settings.processors)}: the control loop runs on any processor ({{error}}); "
            "name processors that this process may use (taskset, cpusets)",
        ),
    ]
    return _denied(wishes)


def prepare_process(settings: RealtimeSettings) -> list[str]:
    """Spare the process interruptions, once everything is loaded; returns in words what was not permitted.

    Collecting garbage stops every thread while it looks at all objects, a tenth of a second and more with PyTorch and
    ROS loaded. What is there now stays, so it is not looked at any more; what a node that was configured before has
    left behind is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    wishes: list[tuple[bool, Callable[[], None], str]] = [
        (
            settings.lock_memory,
            _lock_memory,
            "realtime.lock_memory=true: the memory is not locked ({error}); the limit of lockable memory is "
            f"{_limit()}: raise it (ulimit -l, or `@realtime - memlock unlimited` in /etc/security/limits.conf)",
        )
    ]
    return _denied(wishes)


def _denied(wishes: list[tuple[bool, Callable[[], None], str]]) -> list[str]:
    """Make the wishes that are wished; the words for those that failed."""
    denied = []
    for wished, make, words in wishes:
        try:
            if wished:
                make()
        except OSError as error:
            denied.append(words.format(error=error.strerror))
    return denied


def _lock_memory() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _limit() -> str:
    most, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return "none" if most == resource.RLIM_INFINITY else f"{most // 1024} KiB"
