"""Settings of the whole process that decide how fast it plans; applications make them once, libraries never."""

from __future__ import annotations

import ctypes

import torch

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30


def tune_process(threads: int) -> int:
    """Prepare this process for planning; returns how many CPU threads one operation uses now.

    The number holds for threads that have not computed anything yet, so call this before the planning thread starts.

    Args:
        threads: CPU threads of one operation; 0 leaves PyTorch's choice.

    Raises:
        ValueError: a negative number.
    """
    if threads < 0:
        raise ValueError(f"threads={threads}: give the number of CPU threads, or 0 for PyTorch's choice")
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    # On an H100 or newer PyTorch prefers cuDNN's attention, which prepares itself for each new number of candidates
    # and on each thread anew, in tenths of a second. The flash kernel serves all.
    torch.backends.cuda.enable_cudnn_sdp(False)
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
