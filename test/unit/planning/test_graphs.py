"""Recorded iterations find the plans of plain ones; without a GPU by a recorder that calls the function again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from support.rigs.graphs import Recorder
from support.rigs.small_model import small_model
from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner, PlanResult
from vjepa_mpc.planning.compute.graphs import Capture, Tensors
from vjepa_mpc.worldmodel import MODEL_CONFIGS, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

SMALL = CEMConfig(rollout=1, samples=15, topk=4, cem_steps=4, cuda_graphs=True)
OPTIONS = {
    "published": SMALL,
    "two steps, micro-batches": replace(SMALL, rollout=2, micro_batch=4),
    "realtime": replace(PRESETS["realtime"], samples=16, topk=4, cuda_graphs=True),
    "mppi": replace(SMALL, update="mppi", stop_spread=0.3),
    "warm start": replace(SMALL, warm_start=True, keep_elites=0.5),
}


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return small_model()


def plans(model: VJEPAWorldModel, config: CEMConfig, capture: Capture | None, observed: int = 1) -> list[PlanResult]:
    """Two plans for different problems by one planner."""
    planner = CEMPlanner(model, config, torch.Generator(device=model.device).manual_seed(1), capture=capture)
    random, found = torch.Generator().manual_seed(2), []
    for _ in range(2):
        shape = (model.tokens_per_frame, model.embed_dim)
        context = layer_norm_features(torch.randn(observed, *shape, generator=random))
        pose, goal = (
            torch.randn(observed, 7, generator=random),
            layer_norm_features(torch.randn(shape, generator=random)),
        )
        past = torch.zeros(observed - 1, 7)
        found.append(
            planner.plan(context, pose, goal.to(model.device), past_actions=past, previous=found[-1] if found else None)
        )
    return found


def assert_same(found: list[PlanResult], expected: list[PlanResult], tolerance: float = 0.0) -> None:
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.actions, wanted.actions, atol=tolerance, rtol=0.0)
        torch.testing.assert_close(mine.elites, wanted.elites, atol=tolerance, rtol=0.0)
        assert mine.energies == pytest.approx(wanted.energies, abs=tolerance)
        assert (mine.candidate_steps, mine.stopped_by) == (wanted.candidate_steps, wanted.stopped_by)


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("observed", [1, 2])
def test_replays_find_the_same_plans(model: VJEPAWorldModel, config: CEMConfig, observed: int) -> None:
    recorder = Recorder()
    assert_same(plans(model, config, recorder, observed), plans(model, config, None, observed))
    assert recorder.recordings == 1 and recorder.replays > 1


@pytest.mark.parametrize(
    "change",
    [{"cuda_graphs": False}, {"time_budget": 60.0}, {"sample_decay": 1.5}],
    ids=lambda change: next(iter(change)),
)
def test_nothing_is_recorded_where_shapes_or_times_decide(model: VJEPAWorldModel, change: dict[str, Any]) -> None:
    recorder = Recorder()
    plans(model, replace(SMALL, **change), recorder)
    assert recorder.recordings == 0


def test_other_shapes_are_recorded_anew(model: VJEPAWorldModel) -> None:
    recorder = Recorder()
    planner = CEMPlanner(model, SMALL, capture=recorder)
    goal = torch.zeros(4, 24)
    for observed in (1, 1, 2):
        planner.plan(
            torch.zeros(observed, 4, 24), torch.zeros(observed, 7), goal, past_actions=torch.zeros(observed - 1, 7)
        )
    assert recorder.recordings == 2


def test_what_is_pinned_changes_without_a_new_recording(model: VJEPAWorldModel) -> None:
    recorder = Recorder()
    planner = CEMPlanner(model, SMALL, capture=recorder)
    for change in (0.9, -0.4):
        plan = planner.plan(torch.zeros(4, 24), torch.zeros(7), torch.ones(4, 24), pins={3: change})
        assert plan.actions[0, 6] == pytest.approx(change)
    assert recorder.recordings == 1


def test_a_recording_that_has_missed_the_work_is_not_used(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    """What CUDA does when it records another device's stream: nothing, without an error."""

    def empty(function: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        return lambda: None, function()

    with caplog.at_level(logging.WARNING):
        assert_same(plans(model, SMALL, empty), plans(model, SMALL, None))
    assert caplog.text.count("the replayed iteration does not find what the recorded one found") == 1


def test_without_memory_for_a_recording_planning_goes_on_without(
    model: VJEPAWorldModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The recorded function must not try again with fewer candidates, as plain iterations do."""

    def cramped(function: Callable[[], Tensors]) -> Any:
        with monkeypatch.context() as while_recording:
            while_recording.setattr(VJEPAWorldModel, "start_rollout", no_memory)
            return function(), ()

    def no_memory(*_: Any, **__: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with caplog.at_level(logging.WARNING):
        assert_same(plans(model, SMALL, cramped), plans(model, SMALL, None))
    assert "no CUDA graph (CUDA out of memory)" in caplog.text
    assert "going on with" not in caplog.text


def test_settings_that_keep_a_graph_from_being_recorded_are_named(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        CEMPlanner(model, replace(SMALL, time_budget=0.2))
    assert "cuda_graphs has no effect with device=cpu and time_budget=0.2" in caplog.text


def test_when_recording_fails_planning_goes_on_without(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(function: Callable[[], Tensors]) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    with caplog.at_level(logging.WARNING):
        assert_same(plans(model, SMALL, fail), plans(model, SMALL, None))
    assert caplog.text.count("no CUDA graph (operation not permitted when stream is capturing): planning goes on") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_on_a_gpu(config: CEMConfig) -> None:
    on_gpu = build_world_model(MODEL_CONFIGS["franka_tiny"], device="cuda")
    assert_same(plans(on_gpu, config, None), plans(on_gpu, replace(config, cuda_graphs=False), None), tolerance=1e-4)
