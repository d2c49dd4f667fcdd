"""Settings of the whole process that decide how fast it plans; applications make them once, libraries never."""

from __future__ import annotations

import ctypes
import os

import torch

MOST_THREADS = 1024
"""Of one operation; with many more, OpenMP ends the process without a word."""

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30


def tune_process(threads: int) -> int:
    """Prepare this process for planning; returns how many CPU threads one operation uses now.

    The number holds for threads that have not computed anything yet, so call this before the planning thread starts.

    Args:
        threads: CPU threads of one operation, at most :data:`MOST_THREADS`; 0 leaves PyTorch's choice.

    Raises:
        ValueError: another number.
    """
    if not 0 <= threads <= MOST_THREADS:
        raise ValueError(
            f"threads={threads}: give the number of CPU threads, at most {MOST_THREADS}, or 0 for PyTorch's choice "
            f"(this machine has {os.cpu_count()} cores)"
        )
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    # On an H100 or newer PyTorch prefers cuDNN's attention, which prepares itself for each new number of candidates
    # and on each thread anew, in tenths of a second. The flash kernel serves all.
    torch.backends.cuda.enable_cudnn_sdp(False)
    return torch.get_num_threads()


def choose_device(name: str) -> torch.device:
    """The PyTorch device of a name; ``auto`` is this rank's CUDA device, or the CPU where there is none.

    Raises:
        ValueError: no such device on this machine.
    """
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device={name!r} is none that PyTorch knows here: use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device={name!r}: PyTorch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu")
    return device


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory (up to 1 GiB) for the next tensor instead of returning it to the system.

    Every operation of a plan makes a tensor of some megabytes. Handing its pages back and taking zeroed ones for the
    next costs up to a quarter of the planning time. Returns whether it took effect: only glibc has this.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES), mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)])
