"""The node's controller on two processes: the same steps as on one, and a name for a process that is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from support.node_ranks import actions, save_actions, save_failure, start
from vjepa_mpc.ros.planner import ranks as node_ranks

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available(), reason="this PyTorch has no torch.distributed"),
]


def on_two_processes(lead: Callable[[Any, str], None], folder: Path, port: int) -> None:
    (folder / "port").write_text(str(port))
    mp.spawn(start, args=(str(folder), lead), nprocs=2)


@pytest.fixture
def port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_two_processes_take_the_steps_of_one(tmp_path: Path, port: int) -> None:
    on_two_processes(save_actions, tmp_path, port)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), actions(None), atol=1e-5)


def test_a_lost_process_is_named_and_does_not_hang(tmp_path: Path, port: int) -> None:
    on_two_processes(save_failure, tmp_path, port)
    assert "rank 0 of 2 lost another rank while planning" in (tmp_path / "found").read_text()


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with node_ranks.joined() as ranks:
        assert ranks is None


def test_nccl_is_told_to_report_a_lost_process_before_the_group_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str | None] = {}

    def init_process_group(backend: str) -> None:
        seen[backend] = os.environ.get("TORCH_NCCL_BLOCKING_WAIT")

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("TORCH_NCCL_BLOCKING_WAIT", "")  # so that it is restored
    monkeypatch.delenv("TORCH_NCCL_BLOCKING_WAIT")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(dist, "init_process_group", init_process_group)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    monkeypatch.setattr(node_ranks, "Ranks", lambda: SimpleNamespace(leads=False))
    with node_ranks.joined():
        pass
    assert seen == {"cpu:gloo,cuda:nccl": "1"}
