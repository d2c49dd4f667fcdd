"""Several processes share a plan's candidates, and each of them finds what one alone finds."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vjepa_mpc.planning import CEMConfig, CEMPlanner, PlanResult, RankLostError, Ranks, follow, l1_energy
from vjepa_mpc.planning.compute.ranks import Request
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
TOO_FEW_FOR_THREE = {"fewer samples than ranks": CEMConfig(rollout=1, samples=2, topk=2, cem_steps=2)}


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


def join(rank: int, folder: str, count: int) -> Ranks:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=count)
    return Ranks(timeout=20.0)


def share(rank: int, folder: str, count: int, configs: dict[str, CEMConfig]) -> None:
    """Rank 0 plans with every config and the others follow; all save the plans and what they logged."""
    logging.basicConfig(filename=f"{folder}/log{rank}", level=logging.WARNING)
    ranks = join(rank, folder, count)
    if ranks.leads:
        ranks.announce("a model")
        ranks.meet()
        found = [plan for config in configs.values() for plan in plans(config, ranks)]
        ranks.announce(None)
    else:
        found = list(follow(ranks, lambda announced: model()))
    torch.save(found, f"{folder}/found{rank}")
    dist.destroy_process_group()


def lose(rank: int, folder: str, count: int) -> None:
    """Rank 1 dies when it is asked to plan; rank 0 saves what it is told."""
    ranks = join(rank, folder, count)
    if not ranks.leads:
        ranks.await_request()
        os._exit(0)
    try:
        plans(CONFIGS["published"], ranks)
    except RankLostError as error:
        Path(folder, "found").write_text(str(error))
    os._exit(0)


def found_by_ranks(folder: Path, count: int, configs: dict[str, CEMConfig]) -> list[list[PlanResult]]:
    """The plans of each rank."""
    mp.spawn(share, args=(str(folder), count, configs), nprocs=count)
    return [torch.load(folder / f"found{rank}", weights_only=False) for rank in range(count)]


def assert_same_as_alone(found: list[list[PlanResult]], configs: dict[str, CEMConfig]) -> None:
    """Rank 0 found what a single process finds, and the others found the very same as rank 0."""
    leader, *followers = found
    alone = [plan for config in configs.values() for plan in plans(config)]
    for mine, expected in zip(leader, alone, strict=True):
        assert torch.allclose(mine.actions, expected.actions, atol=1e-5)
        assert mine.energies == pytest.approx(expected.energies, rel=1e-5)
        assert mine.candidate_steps == expected.candidate_steps
    for theirs in followers:
        for own, leading in zip(theirs, leader, strict=True):
            assert torch.equal(own.actions, leading.actions)
            assert torch.equal(own.elites, leading.elites)
            assert (own.energies, own.candidate_steps) == (leading.energies, leading.candidate_steps)


def test_two_ranks_find_what_one_finds(tmp_path: Path) -> None:
    assert_same_as_alone(found_by_ranks(tmp_path, 2, CONFIGS), CONFIGS)


def test_more_ranks_than_samples_find_it_too_and_rank_0_alone_says_so(tmp_path: Path) -> None:
    assert_same_as_alone(found_by_ranks(tmp_path, 3, TOO_FEW_FOR_THREE), TOO_FEW_FOR_THREE)
    leading, *others = ((tmp_path / f"log{rank}").read_text() for rank in range(3))
    assert leading.count("3 ranks for samples=2: some are not needed") == 1
    assert others == ["", ""]


def test_a_plan_before_there_is_a_model_is_an_error_that_says_so() -> None:
    request = Request(CEMConfig(), torch.empty(0), l1_energy, {})
    ranks = cast("Ranks", SimpleNamespace(await_request=lambda: request))
    with pytest.raises(ValueError, match="before it has announced a world model"):
        next(follow(ranks, lambda announced: model()))


def test_a_lost_rank_is_named_and_does_not_hang(tmp_path: Path) -> None:
    mp.spawn(lose, args=(str(tmp_path), 2), nprocs=2)
    assert "rank 0 of 2 lost another rank while planning" in (tmp_path / "found").read_text()
