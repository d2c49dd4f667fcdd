"""Processes that plan together. Here and not in the test's file because each of them has to import what it runs."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
import torch.distributed as dist

from support.rigs.small_model import small_model
from vjepa_mpc.planning import CEMConfig, CEMPlanner, PlanResult, RankLostError, Ranks, follow


def plans(config: CEMConfig, ranks: Ranks | None = None) -> list[PlanResult]:
    """Two plans, one after the other."""
    random = torch.Generator().manual_seed(1)
    context, goal, pose = torch.randn(4, 24, generator=random), torch.randn(4, 24, generator=random), torch.zeros(7)
    planner = CEMPlanner(small_model(), config, torch.Generator().manual_seed(5), ranks=ranks)
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
        found = list(follow(ranks, lambda announced: small_model()))
    torch.save(found, f"{folder}/found{rank}")
    dist.destroy_process_group()


def lose(rank: int, folder: str, count: int, config: CEMConfig) -> None:
    """Rank 1 dies when it is asked to plan; rank 0 saves what it is told."""
    ranks = join(rank, folder, count)
    if not ranks.leads:
        ranks.await_request()
        os._exit(0)
    try:
        plans(config, ranks)
    except RankLostError as error:
        Path(folder, "found").write_text(str(error))
    os._exit(0)
