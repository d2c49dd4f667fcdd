"""Process-wide settings of the CPU."""

from __future__ import annotations

import platform

import pytest
import torch

from vjepa_mpc.worldmodel import keep_freed_memory, set_cpu_threads


def test_threads_are_set_or_left() -> None:
    before = torch.get_num_threads()
    try:
        assert set_cpu_threads(1) == 1
        assert set_cpu_threads(0) == 1
        with pytest.raises(ValueError, match="threads=-1"):
            set_cpu_threads(-1)
    finally:
        torch.set_num_threads(before)


def test_freed_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
