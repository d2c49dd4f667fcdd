"""Settings of the whole process."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest
import torch

from vjepa_mpc.worldmodel import choose_device, tune_process
from vjepa_mpc.worldmodel.speed.tuning import keep_freed_memory


@pytest.fixture(autouse=True)
def threads_and_attention() -> Iterator[None]:
    threads, cudnn = torch.get_num_threads(), torch.backends.cuda.cudnn_sdp_enabled()
    yield
    torch.set_num_threads(threads)
    torch.backends.cuda.enable_cudnn_sdp(cudnn)


def test_threads_are_set_or_left() -> None:
    assert tune_process(1) == 1
    assert tune_process(0) == 1
    for number in (-1, 99999):
        with pytest.raises(ValueError, match=f"threads={number}: give the number of CPU threads, at most 1024"):
            tune_process(number)


def test_a_device_that_is_not_there_is_refused() -> None:
    for name in ("gpu", "meta", f"cuda:{torch.cuda.device_count()}"):
        with pytest.raises(ValueError, match=f"device='{name}'.*cpu"):
            choose_device(name)
    assert choose_device("cpu") == torch.device("cpu")


def test_attention_that_prepares_itself_for_each_number_of_candidates_is_not_used() -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    tune_process(0)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_freed_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
