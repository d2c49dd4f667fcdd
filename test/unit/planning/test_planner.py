"""The planner on dynamics whose best action is known, and its settings' checks."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner, PlanResult
from vjepa_mpc.worldmodel import PointMassWorldModel

START = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])


def plan(config: CEMConfig, offset: tuple[float, float, float], seed: int = 0, **options: object) -> PlanResult:
    model = PointMassWorldModel()
    goal = (START[:3] + torch.tensor(offset))[None]
    planner = CEMPlanner(model, config, torch.Generator().manual_seed(seed), **options)
    return planner.plan(START[None, :3], START, goal)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_find_a_reachable_goal(preset: str) -> None:
    offset = (0.03, -0.04, 0.02)
    moved = plan(PRESETS[preset], offset).actions[:, :3].sum(dim=0)
    assert torch.allclose(moved, torch.tensor(offset), atol=0.004)


def test_a_far_goal_is_approached_by_the_largest_step_along_each_axis() -> None:
    result = plan(PRESETS["paper"], (0.3, -0.3, 0.0))
    assert torch.allclose(result.actions[0, :2], torch.tensor([0.075, -0.075]), atol=0.005)
    assert result.actions.abs()[:, :3].max() <= 0.075


def test_energies_fall_and_the_elites_contract() -> None:
    result = plan(PRESETS["paper"], (0.03, 0.02, 0.01))
    assert result.energies[-1] < 0.3 * result.energies[0]
    assert (result.elite_std[:, :3] < 0.01).all()
    assert len(result.energies) == 10 and result.timings["total"] > 0


def test_the_seed_decides_the_plan() -> None:
    config = CEMConfig(rollout=1, samples=20, topk=4, cem_steps=2)
    first, same, other = (plan(config, (0.02, 0.0, 0.0), seed=seed).actions for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_micro_batches_do_not_change_the_plan() -> None:
    config = CEMConfig(rollout=2, samples=50, topk=5, cem_steps=3)
    batched = dataclasses.replace(config, memory_limit_mb=12 * 7 / 1e6)  # seven candidates of twelve bytes
    assert torch.equal(plan(config, (0.02, 0.01, 0.0)).actions, plan(batched, (0.02, 0.01, 0.0)).actions)


def test_pinned_axes_stay_pinned_and_rotations_are_zero() -> None:
    config = CEMConfig(rollout=2, samples=50, topk=5, cem_steps=3, axis={"1": 0.01, 3: -0.5})
    actions = plan(config, (0.02, 0.03, 0.0)).actions
    assert torch.allclose(actions[:, 1], torch.tensor(0.01)) and torch.allclose(actions[:, 6], torch.tensor(-0.5))
    assert (actions[:, 3:6] == 0).all()


def test_pins_of_one_plan_join_those_of_the_settings_and_are_gone_in_the_next() -> None:
    config = CEMConfig(rollout=2, samples=50, topk=5, cem_steps=3, axis={1: 0.01})
    planner = CEMPlanner(PointMassWorldModel(), config)
    context, pose = torch.zeros(1, 3), torch.zeros(7)
    pinned = planner.plan(context, pose, torch.full((1, 3), 0.03), pins={3: 0.9}).actions
    assert torch.allclose(pinned[:, 1], torch.tensor(0.01)) and torch.allclose(pinned[:, 6], torch.tensor(0.9))
    free = planner.plan(context, pose, torch.full((1, 3), 0.03)).actions
    assert torch.allclose(free[:, 1], torch.tensor(0.01)) and (free[:, 6].abs() <= 0.75).all()
    with pytest.raises(ValueError, match="pin 0"):
        planner.plan(context, pose, torch.zeros(1, 3), pins={4: 0.0})


def test_close_gripper_closes_from_its_step_on() -> None:
    config = CEMConfig(rollout=3, samples=60, topk=5, cem_steps=4, close_gripper=1)
    gripper = plan(config, (0.02, 0.0, 0.0)).actions[:, 6]
    assert (gripper[1:] > 0.99).all() and gripper[0] <= 0.75


def test_small_gripper_actions_become_zero() -> None:
    # The point mass has no gripper, so its mean stays near zero and must not leak into the action.
    assert plan(CEMConfig(rollout=1, samples=800, topk=400, cem_steps=2), (0.02, 0.0, 0.0)).actions[0, 6] == 0.0


def test_another_objective_changes_what_is_sought() -> None:
    config = CEMConfig(rollout=1, samples=100, topk=5, cem_steps=6, maxnorm=0.05)
    away = plan(config, (0.03, 0.0, 0.0), objective=lambda latents, goal: -(latents - goal).abs().mean(dim=(1, 2)))
    assert away.actions[0, 0] < -0.04


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rollout": 0}, "rollout=0"),
        ({"samples": 16, "topk": 20}, "topk=20 > samples=16"),
        ({"topk": 1}, "single elite"),
        ({"cem_steps": 0}, "cem_steps=0"),
        ({"maxnorm": float("nan")}, "maxnorm=nan"),
        ({"maxnorm": 0.0}, r"maxnorm=0\.0"),
        ({"momentum_std": 1.5}, r"momentum_std=1\.5"),
        ({"momentum_mean": float("nan")}, "momentum_mean=nan"),
        ({"axis": {5: 0.0}}, r"axis=\{5: 0\.0\}"),
        ({"axis": {0: float("inf")}}, "finite"),
        ({"close_gripper": -1}, "close_gripper=-1"),
        ({"memory_limit_mb": 0.0}, r"memory_limit_mb=0\.0"),
        ({"gripper_dead_band": -0.1}, "gripper_dead_band"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_values(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CEMConfig(**change)


def test_goal_and_noise_of_the_wrong_shape_are_refused() -> None:
    planner = CEMPlanner(PointMassWorldModel(), CEMConfig(rollout=1, samples=10, topk=2, cem_steps=1))
    with pytest.raises(ValueError, match="goal latent is"):
        planner.plan(START[None, :3], START, torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"expected \[iterations, H, S, 4\] = \[1, 1, 10, 4\]"):
        planner.plan(START[None, :3], START, START[None, :3], noise=torch.zeros(1, 1, 9, 4))
