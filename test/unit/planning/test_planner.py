"""The planner on dynamics whose best action is known, and its settings' checks."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from support.rigs.graphs import Recorder
from vjepa_mpc.planning import (
    PRESETS,
    CEMConfig,
    CEMPlanner,
    Distribution,
    Elites,
    NotFiniteError,
    Optimiser,
    OptimiserSetup,
    PlanResult,
    Sampler,
    Scorer,
    Update,
)
from vjepa_mpc.planning.search import Search
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


def finite(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Inputs of a plan with a number that is none in one of them."""
    given = {"context": START[None, :3], "pose": START, "goal": START[None, :3], "noise": torch.zeros(1, 1, 10, 4)}
    return {**given, **changes}


@pytest.mark.parametrize("name", ["context", "pose", "goal", "noise"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_are_refused_by_name(name: str, value: float) -> None:
    bad = finite()[name].clone()
    bad.flatten()[-1] = value
    planner = CEMPlanner(PointMassWorldModel(), CEMConfig(rollout=1, samples=10, topk=2, cem_steps=1))
    with pytest.raises(NotFiniteError, match=f"^{name} of the plan: not all numbers are finite"):
        planner.plan(**finite(**{name: bad}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("update", ["cem", "mppi"])
def test_energies_that_are_never_finite_are_refused_with_the_objective(update: str, value: float) -> None:
    def broken(latents: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        return torch.full((len(latents),), value)

    config = CEMConfig(rollout=1, samples=10, topk=2, cem_steps=2, update=update)
    with pytest.raises(NotFiniteError, match=rf"objective .*broken gave no finite energy .* {value}, {value}"):
        plan(config, (0.02, 0.0, 0.0), objective=broken)


@pytest.mark.parametrize("update", ["cem", "mppi"])
def test_some_energies_that_are_not_finite_do_not_spoil_the_plan(update: str) -> None:
    def half_broken(latents: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        energies = (latents - goal).abs().mean(dim=(1, 2))
        return torch.where(torch.arange(len(energies)) % 2 == 0, energies, torch.nan)

    found = plan(
        CEMConfig(rollout=1, samples=200, topk=8, cem_steps=8, update=update), (0.03, -0.02, 0.0), objective=half_broken
    )
    assert torch.allclose(found.actions[0, :3], torch.tensor([0.03, -0.02, 0.0]), atol=0.01)


def test_all_candidates_are_returned_on_request_and_change_nothing() -> None:
    config = CEMConfig(rollout=2, samples=20, topk=4, cem_steps=3, keep_elites=0.5, mean_candidate=True)
    planner = CEMPlanner(PointMassWorldModel(), config, torch.Generator().manual_seed(0))
    goal = (START[:3] + 0.02)[None]
    kept = planner.plan(START[None, :3], START, goal, keep_candidates=True)
    plain = plan(config, (0.02, 0.02, 0.02))
    assert plain.history is None and torch.equal(plain.actions, kept.actions) and plain.energies == kept.energies
    assert kept.history is not None and len(kept.history) == 3
    for iteration, lowest in zip(kept.history, kept.energies, strict=True):
        assert iteration.actions.shape == (21, 2, 7) and iteration.energies.shape == (21,)
        ends = START[:3] + iteration.actions[:, :, :3].sum(dim=1)
        torch.testing.assert_close(iteration.energies, (ends - goal).abs().mean(dim=1))
        assert iteration.energies.min() >= lowest - 1e-7


def test_candidates_are_kept_where_iterations_are_recorded() -> None:
    config = CEMConfig(rollout=1, samples=12, topk=4, cem_steps=3, cuda_graphs=True)
    recorder = Recorder()
    planner = CEMPlanner(PointMassWorldModel(), config, capture=recorder)
    found = planner.plan(START[None, :3], START, START[None, :3], keep_candidates=True)
    assert found.history is not None and len(found.history) == 3 and recorder.recordings == 0


def test_an_own_sampler_update_rule_and_optimiser_come_by_name() -> None:
    config = CEMConfig(
        rollout=1,
        samples=200,
        topk=10,
        cem_steps=6,
        sampling=f"{__name__}:Uniform",
        update=f"{__name__}:Median",
        optimiser=f"{__name__}:BestOfAll",
    )
    found = plan(config, (0.03, -0.02, 0.01))
    assert torch.allclose(found.actions[0, :3], torch.tensor([0.03, -0.02, 0.01]), atol=0.01)


class Uniform(Sampler):
    """Evenly between two standard deviations to each side."""

    def draw(self, samples: int, horizon: int, generator: torch.Generator) -> torch.Tensor:
        return 4.0 * torch.rand(horizon, samples, 4, generator=generator) - 2.0


class Median(Update):
    """Half of the elites may be far off."""

    def fit(self, candidates: torch.Tensor, energies: torch.Tensor, elites: Elites) -> Distribution:
        return Distribution(elites.candidates.median(dim=1).values, elites.candidates.std(dim=1))


class BestOfAll(Optimiser):
    """Random search around the best so far."""

    def prepare(self, setup: OptimiserSetup) -> None:
        self.space = setup.space

    def propose(self, search: Search, rivals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        mean, std = (each[:, None] for each in search.distribution)
        return torch.cat([rivals, self.space.admit(mean + std * noise)], dim=1)

    def update(self, search: Search, candidates: torch.Tensor, energies: torch.Tensor) -> None:
        search.advance(candidates, energies, self.around_the_best)

    @staticmethod
    def around_the_best(
        old: Distribution, candidates: torch.Tensor, energies: torch.Tensor, elites: Elites
    ) -> tuple[Distribution, torch.Tensor]:
        return Distribution(elites.candidates[:, 0], 0.5 * old.std), old.std

    def finish(self, search: Search, scorer: Scorer) -> torch.Tensor:
        return search.distribution.mean


def test_a_numpy_pose_plans_as_a_tensor_does_and_others_are_refused_in_words() -> None:
    model, config = PointMassWorldModel(), CEMConfig(rollout=1, samples=20, topk=5, cem_steps=2)
    seen, goal = START[None, :3], START[None, :3] + 0.03

    def first(pose: object) -> torch.Tensor:
        return CEMPlanner(model, config, torch.Generator().manual_seed(3)).plan(seen, pose, goal).actions

    assert torch.equal(first(START.double().numpy()), first(START))
    planner = CEMPlanner(model, config)
    assert planner.energy(seen, goal, START.numpy()) == planner.energy(seen, goal, START)
    for pose, found in ((START.tolist(), "a list"), (START.numpy().astype(str), "an array of <U")):
        with pytest.raises(TypeError, match=f"pose is {found}.*: give a tensor, or a NumPy array"):
            first(pose)


@pytest.mark.parametrize(
    ("frames", "poses", "found"),
    [((), (1,), "pose is"), ((2,), (), "pose is"), ((2,), (3,), "pose is"), ((1, 1), (1, 1), "context latent is")],
)
def test_poses_and_latents_of_other_numbers_of_frames_are_told_with_both_shapes(
    frames: tuple[int, ...], poses: tuple[int, ...], found: str
) -> None:
    planner = CEMPlanner(PointMassWorldModel(), CEMConfig(rollout=1, samples=20, topk=5, cem_steps=2))
    seen = START[None, :3]
    with pytest.raises(ValueError, match=rf"{found} \[.*one such (pose|latent) per observed frame"):
        planner.plan(seen.expand(*frames, 1, 3), START.expand(*poses, 7), seen)


def test_energies_of_another_shape_are_told_with_both_shapes() -> None:
    model, config = PointMassWorldModel(), CEMConfig(rollout=1, samples=20, topk=5, cem_steps=2)
    planner = CEMPlanner(model, config, objective=lambda last, goal: (last - goal).abs().mean(dim=-1))
    with pytest.raises(ValueError, match=r"energies of shape \[20, 1\] instead of \[20\]"):
        planner.plan(START[None, :3], START, START[None, :3])
