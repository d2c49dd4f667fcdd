"""Objectives: what each of them measures, how they are chosen, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from support.rigs.graphs import Crossings, Recorder
from support.rigs.small_model import problem, small_model
from vjepa_mpc.geometry.pose import integrate_pose
from vjepa_mpc.images import encode_png
from vjepa_mpc.options import option
from vjepa_mpc.planning import CEMConfig, CEMPlanner, Objective, ObservedEnergy, PlanResult, Predicted, l1_energy
from vjepa_mpc.planning.energy import make_objective, make_setup
from vjepa_mpc.planning.objectives import OBJECTIVES
from vjepa_mpc.planning.objectives.effort import Effort
from vjepa_mpc.planning.objectives.masked import Masked
from vjepa_mpc.planning.objectives.sum import WeightedSum
from vjepa_mpc.registry import PartError
from vjepa_mpc.worldmodel import PointMassWorldModel, VJEPAWorldModel

START = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
SMALL = CEMConfig(rollout=2, samples=12, topk=4, cem_steps=3)


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return small_model()


@pytest.fixture
def mask(tmp_path: Path) -> str:
    """White in the upper left quarter of the picture."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:32, :32] = 255
    path = tmp_path / "mask.png"
    path.write_bytes(encode_png(picture))
    return str(path)


def energies(config: CEMConfig, predicted: Predicted, goal: Tensor, model: Any) -> Tensor:
    """What the objective that the settings name makes of predictions."""
    return make_objective(None, config, make_setup(model, config, torch.Generator()))(predicted, goal)


def plan(config: CEMConfig, offset: tuple[float, float, float] = (0.03, -0.04, 0.02), **options: Any) -> PlanResult:
    planner = CEMPlanner(PointMassWorldModel(), config, torch.Generator().manual_seed(0), **options)
    return planner.plan(START[None, :3], START, (START[:3] + torch.tensor(offset))[None])


def some_predictions(model: VJEPAWorldModel) -> tuple[Predicted, Tensor]:
    random = torch.Generator().manual_seed(4)
    steps = [torch.randn(5, 4, 24, generator=random) for _ in range(2)]
    return Predicted(steps, torch.randn(5, 2, 7, generator=random), START), torch.randn(4, 24, generator=random)


def test_each_file_is_a_choice() -> None:
    assert {"cosine", "effort", "l1", "l2", "masked", "sum"} <= set(OBJECTIVES.names)


def test_distances_are_what_their_names_say(model: VJEPAWorldModel) -> None:
    predicted, goal = some_predictions(model)
    difference = predicted.last - goal
    cosine = torch.nn.functional.cosine_similarity(predicted.last, goal.expand(5, -1, -1), dim=-1)
    expected = {
        "l1": difference.abs().mean(dim=(1, 2)),
        "l2": difference.square().mean(dim=(1, 2)),
        "cosine": 1 - cosine.mean(dim=1),
    }
    for name, wanted in expected.items():
        torch.testing.assert_close(energies(CEMConfig(objective=name), predicted, goal, model), wanted)
    assert torch.equal(energies(CEMConfig(), predicted, goal, model), l1_energy(predicted.last, goal))


@pytest.mark.parametrize("objective", ["l1", "l2", "cosine"])
def test_no_distance_is_no_energy(objective: str, model: VJEPAWorldModel) -> None:
    goal = torch.randn(4, 24)
    assert ObservedEnergy(model, CEMConfig(objective=objective))(goal, goal) == pytest.approx(0.0, abs=1e-6)


def test_predictions_of_all_steps_and_poses_are_there_when_asked_for() -> None:
    steps, actions = [torch.rand(3, 1, 3) for _ in range(4)], 0.1 * torch.randn(3, 4, 7)
    actions[..., 3:6] = 0.0
    predicted = Predicted(steps, actions, START)
    assert predicted.latents.shape == (3, 4, 1, 3) and torch.equal(predicted.latents[:, -1], predicted.last)
    assert predicted.poses.shape == (3, 4, 7)
    end = START.expand(3, -1)
    for action in actions.unbind(dim=1):
        end = integrate_pose(end, action)
    torch.testing.assert_close(predicted.poses[:, -1, :3], end[:, :3])


def test_a_mask_leaves_only_its_patches(mask: str, model: VJEPAWorldModel) -> None:
    predicted, goal = some_predictions(model)
    config = CEMConfig(objective="masked", options={"masked": Masked.Options(mask=mask)})
    found = energies(config, predicted, goal, model)
    torch.testing.assert_close(found, (predicted.last[:, 0] - goal[0]).abs().mean(dim=-1))


def test_a_mask_is_cropped_as_pictures_are(tmp_path: Path, model: VJEPAWorldModel) -> None:
    """The white borders of a wide picture lie outside the square that the model sees."""
    picture = np.full((64, 128, 3), 255, dtype=np.uint8)
    picture[:, 32:96] = 0
    (tmp_path / "mask.png").write_bytes(encode_png(picture))
    config = CEMConfig(objective="masked", options={"masked": Masked.Options(mask=str(tmp_path / "mask.png"))})
    with pytest.raises(ValueError, match="black everywhere in the picture's crop"):
        ObservedEnergy(model, config, crop="square")
    ObservedEnergy(model, config, crop="droid")


@pytest.mark.parametrize(
    ("path", "message"), [("", "needs the path of a mask image"), ("/nowhere.png", "/nowhere.png does not exist")]
)
def test_a_mask_that_is_not_there_is_refused(path: str, message: str, model: VJEPAWorldModel) -> None:
    config = CEMConfig(objective="masked", options={"masked": Masked.Options(mask=path)})
    with pytest.raises(ValueError, match=message):
        CEMPlanner(model, config)


def test_effort_counts_metres_and_the_gripper(model: VJEPAWorldModel) -> None:
    actions = torch.zeros(2, 2, 7)
    actions[0, :, :3], actions[1, 1, 6] = torch.tensor([0.03, 0.0, 0.04]), -1.0
    predicted = Predicted([torch.zeros(2, 4, 24)] * 2, actions, START)
    config = CEMConfig(objective="effort", options={"effort": Effort.Options(weight=2.0, gripper_weight=0.5)})
    torch.testing.assert_close(energies(config, predicted, torch.zeros(4, 24), model), torch.tensor([0.1, 0.25]))


def test_a_sum_weighs_its_terms_and_they_keep_their_options(model: VJEPAWorldModel) -> None:
    predicted, goal = some_predictions(model)
    effort = {"effort": Effort.Options(weight=3.0)}
    single = [energies(CEMConfig(objective=name, options=effort), predicted, goal, model) for name in ("l1", "effort")]
    options = {"sum": WeightedSum.Options(terms={"l1": 1.0, "effort": 0.05}), **effort}  # type: ignore[arg-type]
    found = energies(CEMConfig(objective="sum", options=options), predicted, goal, model)
    torch.testing.assert_close(found, single[0] + 0.05 * single[1])


def test_effort_in_a_sum_shortens_the_way() -> None:
    terms = WeightedSum.Options(terms=(("l1", 1.0), ("effort", 10.0)))
    lazy = plan(replace(SMALL, objective="sum", options={"sum": terms})).actions[:, :3]
    assert lazy.norm() < 0.5 * plan(SMALL).actions[:, :3].norm()


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "name at least one objective"),
        ((("l1", 1.0), ("l1", 2.0)), "none of them twice"),
        ((("sum", 1.0),), "not the sum itself"),
        ((("l1", float("nan")),), "use finite weights"),
    ],
)
def test_sums_that_make_no_sense_are_refused(terms: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeightedSum.Options(terms=terms)


class Early(Objective):
    """Where the first step leads counts: this needs all steps."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        share: float = option(0.9, "Share of the first step.", low=0.0, high=1.0, live=True)

    def __init__(self, options: Options) -> None:
        self.share = options.share

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        distance = (predicted.latents - goal).abs().mean(dim=(-2, -1))
        return self.share * distance[:, 0] + (1 - self.share) * distance[:, -1]


class Duck:
    """Inherits nothing."""

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        return (predicted.poses[:, -1, :3] - goal).abs().mean(dim=-1)


class Nothing:
    """Cannot be called."""


def test_own_objectives_come_by_name_with_their_options() -> None:
    name = f"{__name__}:Early"
    config = replace(SMALL, samples=80, cem_steps=6, objective=name, options={name: Early.Options(share=1.0)})
    first = plan(config).actions[0, :3]
    assert torch.allclose(first, torch.tensor([0.03, -0.04, 0.02]), atol=0.01)


def test_own_objectives_need_not_inherit() -> None:
    moved = plan(replace(SMALL, samples=80, cem_steps=6, objective=f"{__name__}:Duck")).actions[:, :3].sum(dim=0)
    assert torch.allclose(moved, torch.tensor([0.03, -0.04, 0.02]), atol=0.01)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:Nothing", "is no objective: it lacks __call__"),
        (f"{__name__}:plan", "it is a function"),
        ("no_such_package.objectives:Own", "cannot be imported"),
    ],
)
def test_what_is_no_objective_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(PartError, match=message):
        CEMPlanner(PointMassWorldModel(), replace(SMALL, objective=name))


def test_options_of_another_part_are_refused() -> None:
    name = f"{__name__}:Early"
    with pytest.raises(ValueError, match=r"are a WeightedSum\.Options: give a Early\.Options"):
        plan(replace(SMALL, objective=name, options={name: WeightedSum.Options(terms=(("l2", 1.0),))}))


def test_an_objective_or_a_function_may_be_given_but_no_class() -> None:
    by_name, as_object = plan(replace(SMALL, objective="l2")), plan(SMALL, objective=OBJECTIVES.part("l2")())
    as_function = plan(SMALL, objective=lambda latents, goal: (latents - goal).square().mean(dim=(1, 2)))
    assert torch.equal(by_name.actions, as_object.actions) and torch.equal(by_name.actions, as_function.actions)
    with pytest.raises(TypeError, match="give an Objective"):
        plan(SMALL, objective=Early)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (lambda latents, goal: (latents - goal).abs().mean(dim=2), r"shape \[12, 1\] instead of \[12\]"),
        (lambda latents, goal: (latents - goal).abs().mean(), r"shape \[\] instead of \[12\]"),
        (lambda latents, goal: 0.0, r"a float instead of \[12\]"),
    ],
)
def test_other_shapes_than_one_energy_per_candidate_are_refused(wrong: Callable[..., Any], found: str) -> None:
    with pytest.raises(ValueError, match=rf"the objective .*<lambda> returned .*{found}"):
        plan(SMALL, objective=wrong)


def choices(mask: str) -> dict[str, CEMConfig]:
    terms = WeightedSum.Options(terms=(("l1", 1.0), ("cosine", 0.5), ("effort", 0.1)))
    return {
        **{name: replace(SMALL, objective=name) for name in ("l1", "l2", "cosine", "effort")},
        "masked": replace(SMALL, objective="masked", options={"masked": Masked.Options(mask=mask)}),
        "sum": replace(SMALL, objective="sum", options={"sum": terms}),
        "own": replace(SMALL, objective=f"{__name__}:Early"),
    }


@pytest.mark.parametrize("name", ["l1", "l2", "cosine", "effort", "masked", "sum", "own"])
def test_objectives_can_be_recorded_and_never_wait(name: str, mask: str, model: VJEPAWorldModel) -> None:
    config, crossings, found = choices(mask)[name], {}, []
    for recorder in (Recorder(), None):
        settings = replace(config, cuda_graphs=recorder is not None)
        planner = CEMPlanner(model, settings, torch.Generator().manual_seed(1), capture=recorder)
        found.append([planner.plan(*problem(model, seed)) for seed in (2, 3)])
    for mine, wanted in zip(*found, strict=True):
        assert torch.equal(mine.actions, wanted.actions) and mine.energies == wanted.energies
    for iterations in (2, 4):
        planner = CEMPlanner(model, replace(config, cem_steps=iterations))
        with Crossings() as counted:
            planner.plan(*problem(model))
        crossings[iterations] = counted.count
    assert crossings[2] == crossings[4]
