"""Whether a cheaper version of a world model still finds the plans of the exact one.

Rounding a model's weights to eight bits may cost nothing or everything; which of the two depends on the weights. So a
quantised model is admitted only after both versions have judged the same candidates and planned the same problems.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.actions import ActionSpace
from vjepa_mpc.planning.compute.budget import Pace
from vjepa_mpc.planning.compute.scorer import Compute
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.energy import make_objective, make_setup
from vjepa_mpc.planning.noise import make_noise
from vjepa_mpc.planning.objectives.interface import Energy, Objective
from vjepa_mpc.planning.planner import CEMPlanner
from vjepa_mpc.planning.result import PlanResult
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.speed.quantised import UnsupportedPrecisionError, quantise
from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel

logger = logging.getLogger(__name__)

_SCENES = 4
_COLOUR_PATCHES = 8  # along each side of a made-up picture
_PICTURE_SIZE = 256
_POSE = (0.5, 0.0, 0.3, np.pi, 0.0, 0.0, 0.0)  # a gripper that points down at a table


@dataclass(frozen=True, kw_only=True)
class AgreementBounds:
    """What a cheaper model must reach.

    Raises:
        ValueError: one of them is out of its range.
    """

    topk_overlap: float = option(
        0.8, "dtype int8 or fp8 is used only if it chooses at least this share of the same elites.", low=0.0, high=1.0
    )
    rank_correlation: float = option(
        0.99,
        "dtype int8 or fp8 is used only if its energies have at least this rank correlation (Spearman).",
        low=0.0,
        high=1.0,
    )
    # The search itself turns rounding into millimetres: bfloat16 and float32 differ by up to 5 on the bundled model.
    action_difference: float = option(
        0.01, "dtype int8 or fp8 is used only if its first actions differ by at most this.", unit="m", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        check_options(self, "agreement.")

    def __str__(self) -> str:
        return (
            f"{self.topk_overlap:.3f} or more, {self.rank_correlation:.4f} or more, "
            f"{1000 * self.action_difference:.2f} mm or less"
        )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How two models agreed over some scenes.

    Attributes:
        topk_overlap: share of the elites that both chose, mean.
        rank_correlation: Spearman correlation of the candidates' energies, mean.
        action_difference: metres between the first actions of both plans, largest.
        speed_up: how many times as fast the other one planned, median.
    """

    topk_overlap: float
    rank_correlation: float
    action_difference: float
    speed_up: float

    def within(self, bounds: AgreementBounds) -> bool:
        """Whether that is good enough; what is not a number never is."""
        return (
            self.topk_overlap >= bounds.topk_overlap
            and self.rank_correlation >= bounds.rank_correlation
            and self.action_difference <= bounds.action_difference
        )

    def __str__(self) -> str:
        return (
            f"top-k overlap {self.topk_overlap:.3f}, rank correlation {self.rank_correlation:.4f}, "
            f"action difference {1000 * self.action_difference:.2f} mm, {self.speed_up:.2f} times as fast"
        )


@dataclass(frozen=True)
class Scene:
    """A problem: latents [N, D] of a picture and of a goal, and the pose [7] at the picture."""

    context: Tensor
    pose: Tensor
    goal: Tensor


def admit_quantised(
    model: VJEPAWorldModel, precision: str, config: CEMConfig, bounds: AgreementBounds
) -> VJEPAWorldModel:
    """The model with its rollouts in ``int8`` or ``fp8`` if plans stay the same; otherwise the model as it is.

    What was measured, or what the device lacks, is logged.
    """
    kept = str(model.dtype).removeprefix("torch.")
    try:
        quantised = quantise(model, precision)
    except UnsupportedPrecisionError as error:
        logger.warning("%s; planning in %s instead", error, kept)
        return model
    found = measure_agreement(model, quantised, config)
    if not found.within(bounds):
        logger.warning("%s does not find the plans of %s: %s; wanted %s", precision, kept, found, bounds)
        logger.warning("planning in %s instead", kept)
        return model
    logger.info("planning in %s, which finds the plans of %s: %s", precision, kept, found)
    if found.speed_up < 1.0:
        logger.warning("%s is no faster here: dtype=auto plans in %s, which is more exact, too", precision, kept)
    return quantised


@torch.no_grad()
def measure_agreement(
    reference: WorldModel,
    other: WorldModel,
    config: CEMConfig,
    *,
    objective: Objective | Energy | None = None,
    scenes: Sequence[Scene] = (),
    seed: int = 0,
) -> Agreement:
    """Have both models judge the same candidates and plan the same problems.

    Args:
        reference: the model that is trusted.
        other: the one that is asked about.
        config: the planner's settings, as they will be used; its time budget is not.
        objective: instead of the one that the settings name; see :class:`CEMPlanner`.
        scenes: problems; without any, some are made up (see :func:`made_up_scenes`).
        seed: of candidates, plans and scenes.
    """
    found = [
        _compare(reference, other, config, objective, scene, seed + number)
        for number, scene in enumerate(scenes or made_up_scenes(reference, config, seed))
    ]
    return Agreement(
        topk_overlap=float(np.mean([one.topk_overlap for one in found])),
        rank_correlation=float(np.mean([one.rank_correlation for one in found])),
        action_difference=max(one.action_difference for one in found),
        speed_up=float(np.median([one.speed_up for one in found])),
    )


def made_up_scenes(world_model: WorldModel, config: CEMConfig, seed: int) -> list[Scene]:
    """Pictures of coloured patches, and as goals what the model predicts that some action makes of them.

    No camera is needed, and each goal can be reached, so that energies have a valley to be ranked by.
    """
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    pose, bound = torch.tensor(_POSE), torch.tensor([config.maxnorm] * 3)
    scenes = []
    for _ in range(_SCENES):
        patches = torch.from_numpy(random.random((1, 3, _COLOUR_PATCHES, _COLOUR_PATCHES), dtype=np.float32))
        picture = torch.nn.functional.interpolate(patches, size=(_PICTURE_SIZE, _PICTURE_SIZE), mode="bilinear")
        context = world_model.encode((255 * picture).byte().permute(0, 2, 3, 1))[0]
        action = torch.zeros(1, 7)
        action[0, :3] = bound * (2 * torch.rand(3, generator=generator) - 1)
        rollout = world_model.start_rollout(context, pose, 1, config.rollout)
        for _ in range(config.rollout):
            goal = rollout.step(action.to(world_model.device))[0]
        scenes.append(Scene(context, pose, goal))
    return scenes


def _compare(
    reference: WorldModel,
    other: WorldModel,
    config: CEMConfig,
    objective: Objective | Energy | None,
    scene: Scene,
    seed: int,
) -> Agreement:
    from scipy.stats import spearmanr  # a second to import, which every node would pay for those that quantise

    candidates = _candidates(config, reference, seed)
    energies = [candidate_energies(model, config, scene, candidates, objective) for model in (reference, other)]
    elites = [set(found.argsort()[: config.topk].tolist()) for found in energies]
    # A model that predicts the same for everything has no ranks; that must not pass for agreement.
    ranked = all(float(found.std()) > 0.0 for found in energies)
    plans = [_plan(model, config, scene, objective, seed) for model in (reference, other)]
    actions, seconds = ([plan.actions[0, :3] for plan in plans], [plan.timings["total"] for plan in plans])
    return Agreement(
        topk_overlap=len(elites[0] & elites[1]) / config.topk,
        rank_correlation=float(spearmanr(*energies).statistic) if ranked else math.nan,
        action_difference=float((actions[0] - actions[1]).norm()),
        speed_up=seconds[0] / seconds[1],
    )


def _candidates(config: CEMConfig, world_model: WorldModel, seed: int) -> Tensor:
    """[H, S, 7]: what a plan would try first."""
    space = ActionSpace(config, world_model.device)
    generator = torch.Generator(device=world_model.device).manual_seed(seed)
    noise = make_noise(config, make_setup(world_model, config, generator))(config.samples)
    return space.to_actions(space.admit(space.first_mean()[:, None] + space.first_std[:, None] * noise))


def candidate_energies(
    world_model: WorldModel,
    config: CEMConfig,
    scene: Scene,
    candidates: Tensor,
    objective: Objective | Energy | None = None,
) -> np.ndarray:
    """Energies [S] of where the candidates [H, S, 7] end."""
    setup = make_setup(world_model, config, torch.Generator(device=world_model.device))
    unhurried = replace(config, time_budget=None, cuda_graphs=False)
    compute = Compute(world_model, unhurried, make_objective(objective, config, setup), pace=Pace())
    return compute.begin(scene.context, scene.pose, scene.goal)(candidates).double().cpu().numpy()


def _plan(
    world_model: WorldModel, config: CEMConfig, scene: Scene, objective: Objective | Energy | None, seed: int
) -> PlanResult:
    generator = torch.Generator(device=world_model.device).manual_seed(seed)
    planner = CEMPlanner(world_model, replace(config, time_budget=None), generator, objective)
    return planner.plan(scene.context, scene.pose, scene.goal)
