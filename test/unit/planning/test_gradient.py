"""Gradient descent through the predictor: derivatives are right, and the plan is never worse than CEM's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from support.rigs.small_model import problem, small_model
from vjepa_mpc.planning import CEMConfig, CEMPlanner, ObservedEnergy, PlanResult, l1_energy
from vjepa_mpc.planning.optimisers.gradient import Gradient
from vjepa_mpc.worldmodel import PointMassWorldModel, VJEPAWorldModel, bundled_model_path, load_world_model, quantise

START = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
SMALL = CEMConfig(rollout=2, samples=16, topk=4, cem_steps=3, maxnorm=0.3)
STEPS = {"gradient": Gradient.Options(steps=20)}


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return small_model()


def energy_of(model: Any, plan: PlanResult, context: Tensor, pose: Tensor, goal: Tensor) -> float:
    """Energy of where the plan leads, predicted anew."""
    with torch.no_grad():
        rollout = model.start_rollout(context, pose, 1, len(plan.actions))
        for action in plan.actions:
            end = rollout.step(action[None])
        return float(l1_energy(end, goal))


def with_and_without(model: Any, config: CEMConfig, *inputs: Tensor, seed: int) -> list[float]:
    """Energies of the plans by CEM followed by the gradient, and by CEM alone, from the same random numbers."""
    # Without a dead band: it changes plans after they were found.
    config = replace(config, gripper_dead_band=0.0, options=STEPS)
    found = []
    for optimiser in ("gradient", "cem"):
        planner = CEMPlanner(model, replace(config, optimiser=optimiser), torch.Generator().manual_seed(seed))
        found.append(energy_of(model, planner.plan(*inputs), *inputs))
    return found


@pytest.mark.parametrize("selection", ["mean", "best"])
@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_finds_less_on_the_point_mass(selection: str, seed: int) -> None:
    goal = (START[:3] + torch.tensor([0.3, -0.2, 0.1]))[None]
    config = replace(SMALL, selection=selection)
    by_gradient, alone = with_and_without(PointMassWorldModel(), config, START[None, :3], START, goal, seed=seed)
    assert by_gradient < 0.5 * alone


@pytest.mark.parametrize("selection", ["mean", "best"])
@pytest.mark.parametrize("rollout", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_finds_less_with_the_predictor(
    model: VJEPAWorldModel, selection: str, rollout: int, seed: int
) -> None:
    config = replace(SMALL, selection=selection, rollout=rollout)
    by_gradient, alone = with_and_without(model, config, *problem(model, seed), seed=seed)
    assert by_gradient < alone - 1e-4


def test_the_bundled_model_can_be_descended() -> None:
    bundled = load_world_model(bundled_model_path())
    config = CEMConfig(rollout=2, samples=8, topk=2, cem_steps=2, maxnorm=0.075)
    random = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 255, (2, 64, 64, 3), generator=random, dtype=torch.uint8)
    context, goal = bundled.encode(pictures)
    by_gradient, alone = with_and_without(bundled, config, context, START, goal, seed=0)
    assert by_gradient < alone


@pytest.mark.parametrize("observed", [1, 2])
@pytest.mark.parametrize("horizon", [1, 3])
def test_derivatives_are_those_of_the_energy(model: VJEPAWorldModel, observed: int, horizon: int) -> None:
    """Against differences of the energy, along random directions."""
    exact = model_in_double(model)
    context, pose, goal = (value.double() for value in problem(model))
    frames, poses = context.expand(observed, -1, -1), pose.expand(observed, -1)
    past = torch.zeros(observed - 1, 7)
    random = torch.Generator().manual_seed(5)
    actions = 0.1 * torch.randn(horizon, 3, 7, generator=random)

    def energies(values: Tensor) -> Tensor:
        rollout = exact.start_rollout(frames, poses, 3, horizon, past)
        for action in values:
            end = rollout.step(action)
        return (end - goal).square().mean(dim=(1, 2))

    variable = actions.clone().requires_grad_()
    (slope,) = torch.autograd.grad(energies(variable).sum(), variable)
    with torch.no_grad():
        for _ in range(4):
            way = torch.randn(actions.shape, generator=random)
            step = 1e-2 * way
            difference = (energies(actions + step) - energies(actions - step)) / 2e-2
            torch.testing.assert_close((slope * way).sum(dim=(0, 2)).double(), difference, rtol=2e-2, atol=1e-4)


def model_in_double(model: VJEPAWorldModel) -> VJEPAWorldModel:
    """The same weights; only latents are predicted in float64, actions and poses stay as they are."""
    exact = small_model()
    exact.encoder.double()
    exact.predictor.double()
    return VJEPAWorldModel(exact.config, exact.encoder, exact.predictor)


def test_a_rollout_predicts_the_same_with_and_without_derivatives(model: VJEPAWorldModel) -> None:
    context, pose, _ = problem(model)
    actions = 0.1 * torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(6))
    rollout = model.start_rollout(context, pose, 5, 3)
    plain = [rollout.step(action) for action in actions]
    rollout.reset()
    recorded = [rollout.step(action) for action in actions.clone().requires_grad_()]
    rollout.reset()
    again = [rollout.step(action) for action in actions]
    for one, other, third in zip(plain, recorded, again, strict=True):
        assert torch.equal(one, third) and other.requires_grad
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_result_says_what_the_gradient_found() -> None:
    goal = (START[:3] + torch.tensor([0.3, -0.2, 0.1]))[None]
    config = replace(SMALL, optimiser="gradient", options=STEPS, gripper_dead_band=0.0)
    plan = CEMPlanner(PointMassWorldModel(), config).plan(START[None, :3], START, goal)
    assert len(plan.energies) == config.cem_steps + 1 and plan.energies[-1] < min(plan.energies[:-1])
    end = (START[:3] + plan.actions[:, :3].sum(dim=0))[None]
    assert ObservedEnergy(PointMassWorldModel(), config)(end, goal) == pytest.approx(plan.energies[-1], abs=1e-6)
    predictions = config.samples * config.cem_steps + 4 * 20 + 4
    assert plan.candidate_steps == predictions * config.rollout


def test_what_is_pinned_or_bounded_stays_so() -> None:
    config = replace(SMALL, optimiser="gradient", options=STEPS, axis={1: 0.02}, close_gripper=1, maxnorm=0.05)
    far = (START[:3] + torch.tensor([1.0, 1.0, 1.0]))[None]
    actions = CEMPlanner(PointMassWorldModel(), config).plan(START[None, :3], START, far).actions
    assert torch.allclose(actions[:, 1], torch.tensor(0.02)) and actions[1, 6] == 1.0
    assert torch.allclose(actions[:, (0, 2)], torch.tensor(0.05), atol=1e-4) and not actions[:, 3:6].any()


def test_a_time_budget_leaves_the_gradient_its_time_and_ends_it() -> None:
    class Ticking(PointMassWorldModel):
        now = 0.0

        def start_rollout(self, *args: Any, **options: Any) -> Any:
            rollout = super().start_rollout(*args, **options)
            step: Callable[[Tensor], Tensor] = rollout.step

            def slow(actions: Tensor) -> Tensor:
                self.now += 0.001 * len(actions) * (3 if actions.requires_grad else 1)
                return step(actions)

            rollout.step = slow  # type: ignore[method-assign]
            return rollout

    model = Ticking()
    config = CEMConfig(
        rollout=1, samples=20, topk=4, cem_steps=100, micro_batch=10, time_budget=0.25, optimiser="gradient"
    )
    planner = CEMPlanner(model, config, clock=lambda: model.now)
    goal = (START[:3] + torch.tensor([0.03, -0.02, 0.01]))[None]
    planner.plan(START[None, :3], START, goal)
    plan = planner.plan(START[None, :3], START, goal)
    assert plan.stopped_by == "deadline" and 0.2 < plan.timings["total"] <= 0.25
    assert plan.energies[-1] < 1e-3 and plan.energies[-1] < plan.energies[-2]


def test_when_memory_runs_out_fewer_are_differentiated_at_once(caplog: pytest.LogCaptureFixture) -> None:
    class Cramped(PointMassWorldModel):
        def start_rollout(self, context: Tensor, pose: Tensor, samples: int, *args: Any, **options: Any) -> Any:
            if torch.is_grad_enabled() and samples > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().start_rollout(context, pose, samples, *args, **options)

    goal = (START[:3] + torch.tensor([0.3, -0.2, 0.1]))[None]
    config = replace(SMALL, optimiser="gradient", micro_batch=4)
    plans = [
        CEMPlanner(kind(), config).plan(START[None, :3], START, goal).actions for kind in (Cramped, PointMassWorldModel)
    ]
    assert torch.equal(*plans)
    assert "no memory to predict 4 candidates at once: going on with 2" in caplog.text


def test_predictions_without_derivatives_are_refused_in_words() -> None:
    class Rigid(PointMassWorldModel):
        def start_rollout(self, *args: Any, **options: Any) -> Any:
            rollout = super().start_rollout(*args, **options)
            step: Callable[[Tensor], Tensor] = rollout.step
            rollout.step = lambda actions: step(actions).detach()  # type: ignore[method-assign]
            return rollout

    with pytest.raises(ValueError, match="cannot be differentiated by the actions: use optimiser=cem"):
        CEMPlanner(Rigid(), replace(SMALL, optimiser="gradient")).plan(START[None, :3], START, START[None, :3])


def test_in_eight_bits_the_plan_is_no_worse_than_cems() -> None:
    """Rounding has no derivative, so the descent may lead nowhere; then its starting points still count."""
    rounded = quantise(load_world_model(bundled_model_path()), "int8")
    context, goal = rounded.encode(torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8))
    config = CEMConfig(rollout=1, samples=8, topk=2, cem_steps=2)
    by_gradient, alone = with_and_without(rounded, config, context, START, goal, seed=0)
    assert by_gradient <= alone + 1e-3
