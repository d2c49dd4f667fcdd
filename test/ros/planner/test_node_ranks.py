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

from vjepa_mpc.controller.assembly import make_controller
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.images import ImageError
from vjepa_mpc.loop.worker import Failure
from vjepa_mpc.planning import RankLostError, Ranks
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.parameters.settings import Settings, build_settings
from vjepa_mpc.ros.planner import ranks as node_ranks
from vjepa_mpc.safety.reasons import Reason

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available(), reason="this PyTorch has no torch.distributed"),
]

POSE = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])


def settings() -> Settings:
    values = {parameter.name: parameter.default for parameter in known({})}
    small = {"samples": 9, "topk": 3, "cem_steps": 2, "dtype": "float32", "threads": 1, "device": "cpu"}
    return build_settings({**values, **small})


def actions(ranks: Ranks | None) -> np.ndarray:
    """Two steps towards a picture, [2, 7]."""
    random = np.random.default_rng(0)
    here, there = random.integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    chosen = settings()
    mpc = make_controller(
        chosen.model,
        planner=chosen.planner,
        agreement=chosen.agreement,
        gripper=chosen.gripper,
        action_rotation=chosen.action_rotation,
        ranks=ranks,
    )
    mpc.set_goals([SubGoal(image=there, endings=(Budget(steps=5),))])
    return np.stack([mpc.step(Observation(image=here, pose=POSE)).actions[0] for _ in range(2)])


def start(rank: int, folder: str, lead: Callable[[Ranks | None, str], None]) -> None:
    """What torchrun does, and what the node's main function does then."""
    torch.set_num_threads(1)
    os.environ.update(
        GLOO_SOCKET_IFNAME="lo", WORLD_SIZE="2", RANK=str(rank), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1"
    )
    os.environ["MASTER_PORT"] = Path(folder, "port").read_text()
    with node_ranks.joined() as ranks:
        assert ranks is not None
        if ranks.leads:
            lead(ranks, folder)
        elif lead is save_actions:
            assert node_ranks.plan_along(ranks) == 0
        else:
            ranks.await_request()
            ranks.meet()
            os._exit(0)


def save_actions(ranks: Ranks | None, folder: str) -> None:
    np.save(f"{folder}/found.npy", actions(ranks))


def save_failure(ranks: Ranks | None, folder: str) -> None:
    try:
        actions(ranks)
    except RankLostError as error:
        Path(folder, "found").write_text(str(error))


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


def test_failures_have_names() -> None:
    assert Failure(error=RankLostError("gone")).reason is Reason.RANK_LOST
    assert Failure(error=ImageError("torn")).reason is Reason.IMAGE_UNREADABLE
    assert Failure(error=RuntimeError("boom")).reason is Reason.PLANNER_EXCEPTION


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
