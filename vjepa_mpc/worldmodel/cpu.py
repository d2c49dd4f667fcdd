"""Settings of the whole process that decide how fast a CPU plans; applications call them once, libraries never."""

from __future__ import annotations

import ctypes

import torch

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30


def set_cpu_threads(threads: int) -> int:
    """Let one operation use this many CPU threads (0: leave PyTorch's choice); returns how many it uses now.

    This holds for the whole process and for threads that have not computed anything yet, so call it before the
    planning thread starts.

    Raises:
        ValueError: a negative number.
    """
    if threads < 0:
        raise ValueError(f"threads={threads}: give the number of CPU threads, or 0 for PyTorch's choice")
    if threads:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory (up to 1 GiB) for the next tensor instead of returning it to the system.

    Every operation of a plan makes a tensor of some megabytes. Handing its pages back and taking zeroed ones for the
    next costs up to a quarter of the planning time. Returns whether it took effect: only glibc has this.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES), mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)])
