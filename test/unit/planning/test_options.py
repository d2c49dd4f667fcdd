"""The planner's options on dynamics whose best action is known."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from support.rigs.graphs import Crossings
from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner, Pace, PlanResult
from vjepa_mpc.planning.compute.memory import choose_micro_batch
from vjepa_mpc.planning.energy import make_setup
from vjepa_mpc.planning.noise import Draw, colouring_matrix, make_noise
from vjepa_mpc.worldmodel import PointMassWorldModel

START = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
OFFSET = torch.tensor([0.03, -0.04, 0.02])
SMALL = CEMConfig(rollout=1, samples=40, topk=6, cem_steps=4, maxnorm=0.075)


def plan(config: CEMConfig, offset: Tensor = OFFSET, seed: int = 0, **options: Any) -> PlanResult:
    planner = CEMPlanner(PointMassWorldModel(), config, torch.Generator().manual_seed(seed))
    return planner.plan(START[None, :3], START, (START[:3] + offset)[None], **options)


def drawing(config: CEMConfig, seed: int) -> Draw:
    return make_noise(config, make_setup(PointMassWorldModel(), config, torch.Generator().manual_seed(seed)))


def miss(config: CEMConfig, **options: Any) -> float:
    """Median distance in metres between where the plan leads and the goal, over some seeds."""
    ends = [plan(config, seed=seed, **options).actions[:, :3].sum(dim=0) for seed in range(21)]
    return float(torch.stack([(end - OFFSET).norm() for end in ends]).median())


@pytest.mark.parametrize(
    "change",
    [
        {"sampling": "antithetic"},
        {"sampling": "sobol"},
        {"update": "mppi"},
        {"rollout": 4, "noise_colour": 2.0, "cem_steps": 6},
        {"keep_elites": 0.3},
        {"mean_candidate": True},
        {"selection": "best"},
        {"std_floor": 0.05},
        {"keep_elites": 0.3, "sample_decay": 1.25, "mean_candidate": True, "selection": "best", "sampling": "sobol"},
    ],
    ids=str,
)
def test_every_option_finds_the_goal(change: dict[str, Any]) -> None:
    assert miss(replace(SMALL, **change)) < 0.012


@pytest.mark.parametrize("sampling", ["gaussian", "antithetic", "sobol"])
@pytest.mark.parametrize("samples", [1, 7, 64])
def test_samples_are_standard_normal_and_seeded(sampling: Any, samples: int) -> None:
    config = CEMConfig(rollout=3, samples=64, sampling=sampling)
    draw, same = (drawing(config, seed=1) for _ in range(2))
    first = draw(samples)
    assert first.shape == (3, samples, 4) and torch.equal(first, same(samples))
    assert not torch.equal(first, draw(samples))
    many = torch.cat([draw(64) for _ in range(100)], dim=1)
    assert many.mean().abs() < 0.02 and (many.std() - 1).abs() < 0.02


def test_antithetic_and_sobol_samples_are_more_even_than_random_ones() -> None:
    def error_of_mean(sampling: Any) -> float:
        draw = drawing(CEMConfig(rollout=1, samples=64, sampling=sampling), seed=0)
        return float(torch.stack([draw(64).mean(dim=1) for _ in range(50)]).square().mean().sqrt())

    assert error_of_mean("sobol") < 0.5 * error_of_mean("gaussian")
    assert error_of_mean("antithetic") < 1e-6


def test_coloured_noise_keeps_its_variance_and_is_smoother() -> None:
    def correlation(exponent: float) -> float:
        colouring = colouring_matrix(8, exponent)
        covariance = colouring @ colouring.T
        assert torch.allclose(covariance.diagonal(), torch.ones(8), atol=1e-5)
        return float(covariance[0, 1])

    assert abs(correlation(0.0)) < 1e-5
    assert 0.2 < correlation(1.0) < correlation(2.0) < 1.0


def test_a_warm_start_begins_at_the_previous_plan_moved_on() -> None:
    config = replace(SMALL, rollout=3, warm_start=True)
    previous = plan(config)
    idle = torch.zeros(config.cem_steps, 3, config.samples, 4)  # every candidate is the mean
    result = plan(config, previous=previous, noise=idle)
    expected = torch.cat([previous.actions[1:], previous.actions[2:]])
    assert torch.allclose(result.actions, expected, atol=1e-6)
    cold = plan(replace(config, warm_start=False), previous=previous, noise=idle)
    assert not cold.actions.any()


def test_a_warm_start_needs_fewer_samples() -> None:
    config = replace(SMALL, samples=16, topk=4, cem_steps=2)
    previous = plan(replace(config, samples=400, cem_steps=8))
    warm = replace(config, warm_start=True, warm_start_std=0.3)
    assert miss(warm, previous=previous) < 0.5 * miss(config)


def test_a_proposal_wins_when_it_is_best_and_is_kept_within_bounds() -> None:
    config = replace(SMALL, samples=8, topk=2, cem_steps=1, momentum_mean=0.0, selection="best")
    exact = torch.zeros(1, 1, 7)
    exact[..., :3] = OFFSET
    assert torch.allclose(plan(config, proposals=exact).actions[0, :3], OFFSET, atol=1e-6)
    far = plan(config, offset=torch.tensor([1.0, 1.0, 1.0]), proposals=100 * exact.abs())
    assert torch.allclose(far.actions[0, :3], torch.tensor(0.075))


def test_proposals_of_another_shape_or_with_rotations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"proposals are \[1, 7\]: expected \[P, H, 7\]"):
        plan(SMALL, proposals=torch.zeros(1, 7))
    with pytest.raises(ValueError, match="rotations"):
        plan(SMALL, proposals=torch.ones(1, 1, 7))


def test_kept_elites_never_let_the_best_energy_rise() -> None:
    energies = plan(replace(SMALL, keep_elites=1.0, cem_steps=8)).energies
    assert all(later <= earlier for earlier, later in itertools.pairwise(energies))


def test_the_best_is_no_worse_than_any_candidate() -> None:
    result = plan(replace(SMALL, selection="best"))
    end = (START[:3] + result.actions[0, :3])[None, None]
    energy = CEMPlanner(PointMassWorldModel(), SMALL).energy(end[0], (START[:3] + OFFSET)[None])
    assert energy <= min(result.energies) + 1e-7


def test_converged_elites_stop_the_search() -> None:
    config = replace(SMALL, cem_steps=50, stop_spread=0.05)
    result = plan(config)
    assert result.stopped_by == "converged" and 1 < len(result.energies) < 20
    assert result.candidate_steps == len(result.energies) * config.samples
    assert plan(SMALL).stopped_by == "iterations"


def test_the_floor_keeps_the_search_wide() -> None:
    config = replace(SMALL, cem_steps=12, momentum_std=0.0)
    assert plan(config).elite_std[0, 0] < 0.001
    assert plan(replace(config, std_floor=0.2)).elite_std[0, 0] > 0.002


def test_samples_decay_to_twice_the_elites_and_are_counted() -> None:
    config = replace(SMALL, sample_decay=2.0, cem_steps=4, mean_candidate=True, selection="best")
    assert [config.samples_of(iteration) for iteration in range(4)] == [40, 20, 12, 12]
    assert config.candidate_steps == plan(config).candidate_steps == 40 + 20 + 12 + 12 + 4 + 1


@pytest.mark.parametrize(("preset", "share", "missed_by"), [("realtime", 0.1, 0.002), ("fast", 0.015, 0.004)])
def test_a_quick_preset_needs_a_small_share_of_the_papers_predictions(preset, share, missed_by) -> None:
    assert PRESETS[preset].candidate_steps <= share * PRESETS["paper"].candidate_steps
    assert miss(PRESETS[preset]) < missed_by


class TickingModel(PointMassWorldModel):
    """A point mass that takes its time: each predicted candidate advances a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self.now, self._seconds = 0.0, seconds

    def start_rollout(self, *args: Any, **options: Any) -> Any:
        rollout = super().start_rollout(*args, **options)
        step = rollout.step

        def slow_step(actions: Tensor) -> Tensor:
            self.now += len(actions) * self._seconds()
            return step(actions)

        rollout.step = slow_step  # type: ignore[method-assign]
        return rollout


def timed(model: TickingModel, config: CEMConfig, pace: Pace | None = None) -> CEMPlanner:
    return CEMPlanner(model, config, pace=pace, clock=lambda: model.now)


def ask(planner: CEMPlanner, **options: Any) -> PlanResult:
    return planner.plan(START[None, :3], START, (START[:3] + OFFSET)[None], **options)


def test_a_deadline_ends_the_search_with_the_best_plan_so_far() -> None:
    model = TickingModel(lambda: 0.001)  # 40 ms an iteration
    planner = timed(model, replace(SMALL, cem_steps=100, time_budget=0.505, micro_batch=10))
    ask(planner)
    result = ask(planner)
    assert result.stopped_by == "deadline" and 500 <= result.candidate_steps <= 505
    assert 0.45 < result.timings["total"] <= 0.505
    assert (result.actions[0, :3] - OFFSET).norm() < 0.005


def test_the_deadline_is_kept_when_times_vary() -> None:
    random = torch.Generator().manual_seed(0)
    model = TickingModel(lambda: 0.001 * (1 + 0.3 * float(torch.rand((), generator=random))))
    planner = timed(model, replace(SMALL, cem_steps=100, time_budget=0.3, micro_batch=10))
    ask(planner)
    overruns = sorted(ask(planner).timings["total"] / 0.3 - 1 for _ in range(200))
    assert overruns[197] < 0.05


def test_a_deadline_shorter_than_an_iteration_returns_the_warm_start_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, pace = TickingModel(lambda: 0.01), Pace()
    config = replace(SMALL, warm_start=True)
    previous = ask(timed(model, replace(config, time_budget=10.0), pace))
    with caplog.at_level(logging.WARNING):
        result = ask(timed(model, replace(config, time_budget=0.03), pace), previous=previous)
    assert result.stopped_by == "deadline" and result.energies == ()
    assert torch.allclose(result.actions, previous.actions, atol=1e-6)
    assert "time_budget=0.03 s is too short for an iteration (6 candidates take 0.060 s): the previous" in caplog.text


def test_a_deadline_shorter_than_an_iteration_without_a_warm_start_is_not_to_move(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, pace = TickingModel(lambda: 0.01), Pace()
    ask(timed(model, replace(SMALL, time_budget=10.0), pace))
    with caplog.at_level(logging.WARNING):
        result = ask(timed(model, replace(SMALL, time_budget=0.03), pace))
    assert not result.actions.any() and "the plan is not to move" in caplog.text


def test_the_last_predictions_before_a_deadline_are_few() -> None:
    """Others slow the machine down by half when the plan is about to end: the overrun is half a quarter batch."""
    model = TickingModel(lambda: 0.001 if model.now % 1.0 < 0.28 else 0.0015)
    planner = timed(model, replace(SMALL, cem_steps=100, time_budget=0.3, micro_batch=40))
    ask(planner)
    for _ in range(20):
        model.now = math.ceil(model.now)
        assert ask(planner).timings["total"] <= 0.305


def test_plans_end_earlier_when_the_last_moment_was_interrupted() -> None:
    """Another program takes 50 ms when a plan is about to end; the first plan is late, the next ones are not."""
    model = TickingModel(lambda: 0.05 if 0.290 < model.now % 1.0 < 0.310 else 0.001)
    planner = timed(model, replace(SMALL, cem_steps=100, time_budget=0.3, micro_batch=2))
    late = []
    for _ in range(30):
        model.now = math.ceil(model.now)
        late.append(ask(planner).timings["total"] - 0.3)
    assert late[0] > 0.03 and max(late[1:]) <= 0.0
    assert min(late) > -0.2 * 0.3 - 0.005, "no more than a fifth of the time is given up"


def test_when_time_is_short_iterations_have_fewer_samples() -> None:
    model = TickingModel(lambda: 0.001)
    planner = timed(model, replace(SMALL, samples=200, cem_steps=10, time_budget=0.2, micro_batch=10))
    ask(planner)
    result = ask(planner)
    assert len(result.energies) >= 4
    assert (result.actions[0, :3] - OFFSET).norm() < 0.02


def test_one_slow_moment_is_not_remembered_for_ever() -> None:
    pace = Pace()
    pace.record(10, 60.0)
    planner = timed(TickingModel(lambda: 0.001), replace(SMALL, time_budget=0.3, micro_batch=10), pace)
    assert ask(planner).energies == ()
    assert len(ask(planner).energies) >= 3


def test_without_a_deadline_nothing_is_measured() -> None:
    model = TickingModel(lambda: 0.01)
    planner = timed(model, SMALL)
    assert ask(planner).stopped_by == "iterations"
    assert planner.pace.predict(40) == 0.0


class CrampedModel(PointMassWorldModel):
    """A point mass with memory for few candidates."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def start_rollout(self, context: Tensor, pose: Tensor, samples: int, *args: Any, **options: Any) -> Any:
        if samples > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().start_rollout(context, pose, samples, *args, **options)


def test_when_memory_runs_out_the_micro_batch_is_halved_and_the_plan_is_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = plan(SMALL).actions
    planner = CEMPlanner(CrampedModel(12), SMALL, torch.Generator().manual_seed(0))
    with caplog.at_level(logging.WARNING):
        assert torch.equal(ask(planner).actions, expected)
    assert "no memory to predict 40 candidates at once: going on with 20" in caplog.text
    caplog.clear()
    ask(planner)
    assert not caplog.text, "the next plan knows"


def test_memory_that_pytorch_keeps_for_the_next_tensors_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 100 MB on which earlier plans have left 60 MB with PyTorch, 10 MB of them in use."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (40_000_000, 100_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 60_000_000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10_000_000)
    model = PointMassWorldModel()
    monkeypatch.setattr(model, "device", torch.device("cuda"))
    monkeypatch.setattr(model, "rollout_bytes", lambda horizon, frames: 1_000_000)
    assert choose_micro_batch(SMALL, model, 720, 1) == 72
    assert choose_micro_batch(replace(SMALL, cuda_graphs=True), model, 720, 1) == 36
    assert choose_micro_batch(SMALL, model, 73, 1) == 37, "two equal parts, not one of 72 and one of 1"
    assert choose_micro_batch(replace(SMALL, micro_batch=7), model, 400, 1) == 7


def test_batches_stay_the_same_from_plan_to_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    class Starting(PointMassWorldModel):
        def start_rollout(self, context: Tensor, pose: Tensor, samples: int, *args: Any, **options: Any) -> Any:
            started.append(samples)
            return super().start_rollout(context, pose, samples, *args, **options)

    free = iter((16, 9, 3))
    monkeypatch.setattr("vjepa_mpc.planning.compute.scorer.choose_micro_batch", lambda *_: next(free))
    planner = CEMPlanner(Starting(), SMALL)
    for _ in range(3):
        ask(planner)
    assert started == [16, 16, 16]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_no_iteration_waits_for_the_device(preset: str) -> None:
    """More iterations read no more tensors from Python, nor do they make any from Python's numbers."""

    def crossings(iterations: int) -> int:
        config = replace(PRESETS[preset], samples=16, topk=4, cem_steps=iterations)
        planner = CEMPlanner(PointMassWorldModel(), config, torch.Generator().manual_seed(0))
        with Crossings() as crossings:
            ask(planner)
        return crossings.count

    assert crossings(6) == crossings(2)


def test_no_memory_for_a_single_candidate_is_an_error() -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError):
        ask(CEMPlanner(CrampedModel(0), SMALL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling": "halton"}, "sampling='halton': use one of antithetic, gaussian, sobol, or package.module:Class"),
        ({"update": "mpc"}, "use one of cem, mppi, or"),
        ({"selection": "first"}, "selection='first': use one of mean, best$"),
        ({"micro_batch": 0}, "micro_batch=0"),
        ({"time_budget": 0.0}, r"time_budget=0\.0: use a positive number, or None"),
        ({"keep_elites": 1.5}, r"keep_elites=1\.5: use a finite number from 0 to 1"),
        ({"sample_decay": 0.5}, r"sample_decay=0\.5"),
        ({"warm_start_std": 0.0}, r"warm_start_std=0\.0"),
        ({"noise_colour": float("inf")}, "noise_colour=inf"),
        ({"std_floor": 0.1, "stop_spread": 0.05}, "lower the floor"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_their_values(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CEMConfig(**change)
