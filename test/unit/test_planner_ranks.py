"""Two processes share a plan's candidates and find what one finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vjepa_mpc.planning import CEMConfig, CEMPlanner, PlanResult, RankLostError, Ranks, follow
from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available(), reason="this PyTorch has no torch.distributed"),
]

MODEL = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
    }
)
CONFIGS = {
    "published": CEMConfig(rollout=2, samples=15, topk=4, cem_steps=3),
    "options": CEMConfig(
        rollout=1,
        samples=16,
        topk=4,
        cem_steps=3,
        sampling="sobol",
        keep_elites=0.5,
        mean_candidate=True,
        execute="best",
        warm_start=True,
        deadline=60.0,
    ),
    "fewer samples than ranks would like": CEMConfig(rollout=1, samples=3, topk=2, cem_steps=2),
}
RANKS = 2


def model() -> VJEPAWorldModel:
    torch.manual_seed(0)
    built = build_world_model(MODEL)
    with torch.no_grad():
        for weight in built.predictor.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return built


def plans(config: CEMConfig, ranks: Ranks | None = None) -> list[PlanResult]:
    """Two plans, one after the other."""
    random = torch.Generator().manual_seed(1)
    context, goal, pose = torch.randn(4, 24, generator=random), torch.randn(4, 24, generator=random), torch.zeros(7)
    planner = CEMPlanner(model(), config, torch.Generator().manual_seed(5), ranks=ranks)
    first = planner.plan(context, pose, goal)
    return [first, planner.plan(context, pose, goal, previous=first)]


def join(rank: int, folder: str) -> Ranks:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    return Ranks(timeout=20.0)


def share(rank: int, folder: str) -> None:
    """Rank 0 plans with every config and saves what it found; the other rank follows."""
    ranks = join(rank, folder)
    if rank:
        follow(model(), ranks)
    else:
        torch.save({name: plans(config, ranks) for name, config in CONFIGS.items()}, f"{folder}/found")
        ranks.announce(None)
    dist.destroy_process_group()


def lose(rank: int, folder: str) -> None:
    """Rank 1 dies when it is asked to plan; rank 0 saves what it is told."""
    ranks = join(rank, folder)
    if rank:
        ranks.await_request()
        os._exit(0)
    try:
        plans(CONFIGS["published"], ranks)
    except RankLostError as error:
        torch.save(str(error), f"{folder}/found")
    os._exit(0)


def spawn(target: Callable[..., None], folder: Path) -> Any:
    mp.spawn(target, args=(str(folder),), nprocs=RANKS)
    return torch.load(folder / "found", weights_only=False)


def test_two_ranks_find_what_one_finds(tmp_path: Path) -> None:
    found = spawn(share, tmp_path)
    for name, config in CONFIGS.items():
        for mine, expected in zip(found[name], plans(config), strict=True):
            assert torch.allclose(mine.actions, expected.actions, atol=1e-5), name
            assert mine.energies == pytest.approx(expected.energies, rel=1e-5), name
            assert mine.candidate_steps == expected.candidate_steps, name


def test_a_lost_rank_is_named_and_does_not_hang(tmp_path: Path) -> None:
    assert "rank 0 of 2 lost another rank while planning" in spawn(lose, tmp_path)
