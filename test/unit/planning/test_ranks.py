"""Several processes share a plan's candidates, and each of them finds what one alone finds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from support.planning_ranks import lose, plans, share
from support.rigs.small_model import small_model
from vjepa_mpc.planning import (
    CEMConfig,
    CEMPlanner,
    PlanResult,
    RankLostError,
    Ranks,
    follow,
    l1_energy,
    plain_settings,
)
from vjepa_mpc.planning.compute.ranks import Request
from vjepa_mpc.planning.objectives.l2 import L2
from vjepa_mpc.planning.objectives.sum import WeightedSum

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available(), reason="this PyTorch has no torch.distributed"),
]

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
        selection="best",
        warm_start=True,
        time_budget=60.0,
    ),
    "objective and optimiser by name": CEMConfig(
        rollout=2,
        samples=15,
        topk=4,
        cem_steps=2,
        objective="sum",
        optimiser="gradient",
        options={"sum": WeightedSum.Options(terms=(("l1", 1.0), ("effort", 0.1)))},
    ),
    "fewer samples than ranks would like": CEMConfig(rollout=1, samples=3, topk=2, cem_steps=2),
}
TOO_FEW_FOR_THREE = {"fewer samples than ranks": CEMConfig(rollout=1, samples=2, topk=2, cem_steps=2)}


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
    request = Request(plain_settings(CEMConfig()), "square", torch.empty(0), {})
    ranks = cast("Ranks", SimpleNamespace(await_request=lambda: request))
    with pytest.raises(ValueError, match="before it has announced a world model"):
        next(follow(ranks, lambda announced: small_model()))


def test_an_objective_that_cannot_be_named_is_refused_in_words() -> None:
    ranks = cast("Ranks", SimpleNamespace(leads=True, count=2))
    for given in (l1_energy, L2()):
        with pytest.raises(ValueError, match="other processes can only be told its name; make it a class and name it"):
            CEMPlanner(small_model(), CEMConfig(), objective=given, ranks=ranks)


def test_what_is_announced_is_names_and_numbers() -> None:
    """Nothing that is sent is a function or a class of somebody's: whatever it is has to be made from names again."""
    sent: list[Request] = []

    def announce(request: Request) -> None:
        sent.append(request)
        raise RankLostError("enough")

    ranks = cast("Ranks", SimpleNamespace(leads=True, count=2, announce=announce, agree=int))
    with pytest.raises(RankLostError):
        plans(CONFIGS["objective and optimiser by name"], ranks)
    (request,) = sent
    assert all(isinstance(value, bool | int | float | str | tuple) for value in request.settings.values())
    assert request.settings["objective"] == "sum" and request.settings["sum.terms"] == "l1=1.0, effort=0.1"
    assert all(value is None or isinstance(value, torch.Tensor | dict) for value in request.inputs.values())


def test_a_lost_rank_is_named_and_does_not_hang(tmp_path: Path) -> None:
    mp.spawn(lose, args=(str(tmp_path), 2, CONFIGS["published"]), nprocs=2)
    assert "rank 0 of 2 lost another rank while planning" in (tmp_path / "found").read_text()
