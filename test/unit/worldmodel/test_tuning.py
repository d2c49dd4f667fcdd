"""Settings of the whole process."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest
import torch

from vjepa_mpc.worldmodel import tune_process
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
    with pytest.raises(ValueError, match="threads=-1"):
        tune_process(-1)


def test_attention_that_prepares_itself_for_each_number_of_candidates_is_not_used() -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    tune_process(0)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_freed_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
