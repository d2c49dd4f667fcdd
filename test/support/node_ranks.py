"""What the processes of a planner node on two ranks do; in a module of its own, which a new process can import."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from vjepa_mpc.controller.assembly import make_controller
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import RankLostError, Ranks
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.parameters.settings import Settings, build_settings
from vjepa_mpc.ros.planner import ranks as node_ranks

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
    assert isinstance(mpc, VisualMPC)
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
