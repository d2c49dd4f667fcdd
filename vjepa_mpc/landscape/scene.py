"""A plan and the energies around it, and whether they say anything: contrast beside that of pictures of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from vjepa_mpc.controller.planners import Planners
from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.landscape.surface import Surface, surface
from vjepa_mpc.planning import CEMConfig, CEMPlanner, Goal, Pace, PlanResult, Question
from vjepa_mpc.planning.compute.scorer import Compute, Scorer
from vjepa_mpc.worldmodel import Crop, WorldModel

CLEARLY = 2.0  # times the noise floor; the bundled model has 6 in its own scene and 1.4 between two real pictures
_NOTHINGS = 4  # pairs of pictures that show nothing
_PATCHES, _SIZE = 8, 256  # colour patches along a side of them, and pixels
_ROOM = 1.1  # how far beyond the plan and the true action the planes go


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A plan and the energies around it.

    Attributes:
        name: where it is from.
        seen: what is seen, uint8 [H, W, 3].
        wanted: goal picture.
        plan: from one to the other, with its history.
        made: [7] float64, what was really done between the two; None where nobody knows.
        surface: around the plan, all its steps together.
        nothing: contrast of the same surface with pictures of nothing; the noise floor.
    """

    name: str
    seen: np.ndarray
    wanted: np.ndarray
    plan: PlanResult
    made: np.ndarray | None
    surface: Surface
    nothing: float

    @property
    def planned(self) -> np.ndarray:
        """[7] float64: all steps of the plan together."""
        return _whole(self.plan)

    @property
    def flat(self) -> bool:
        """Whether it matters no more where the hand goes than with pictures of nothing."""
        return self.surface.contrast <= self.nothing

    @property
    def doubtful(self) -> bool:
        """Whether it matters hardly more than with pictures of nothing, of which only a few were seen."""
        return self.surface.contrast < CLEARLY * self.nothing

    @property
    def at_edge(self) -> bool:
        """Whether a plane is lowest at its edge, so that the lowest place is farther away than is shown."""
        return bool(np.abs(self.surface.lowest).max() > 0.999 * self.surface.reach)

    @property
    def words(self) -> str:
        """What the landscape says."""
        contrast = f"where the hand goes changes the energy by {self.surface.contrast:.1%}"
        floor = f"{self.nothing:.1%} with pictures of nothing"
        if self.flat:
            return (
                f"The landscape is flat: {contrast}, which is no more than {floor}. Nothing shows that the model knows "
                "in this picture what an action leads to: do not rely on what it plans here."
            )
        if self.doubtful:
            return (
                f"It is doubtful whether the model sees the scene: {contrast}, less than {CLEARLY:g} times the "
                f"{floor}. Compare what it plans with what is right before you rely on it."
            )
        edge = ". It is lowest at the edge: the goal is farther away than is shown" if self.at_edge else ""
        return f"It matters what is done: {contrast}, beside {floor}{edge}."


def look(
    world_model: WorldModel,
    config: CEMConfig,
    crop: Crop,
    *,
    name: str,
    seen: np.ndarray,
    wanted: np.ndarray,
    pose: np.ndarray,
    made: np.ndarray | None = None,
    seed: int = 0,
) -> Scene:
    """Plan from a picture to another, and look around.

    Args:
        world_model: predicts.
        config: of the planner.
        crop: of the pictures.
        name: of the scene.
        seen: uint8 RGB [H, W, 3].
        wanted: goal picture.
        pose: [7] where the arm is: metres, extrinsic xyz Euler radians, closedness; robot base frame.
        made: [7] what was really done; None where nobody knows.
        seed: of the plan and of the pictures of nothing.
    """
    sight, planners = Sight(world_model, crop), Planners(world_model, None, seed, None, crop)
    question = Question(
        goal=Goal(sight.encode(wanted)),
        origin=torch.as_tensor(pose, dtype=torch.float32),
        random_state=planners.random_state,
    )
    latent = sight.encode(seen)
    plan = planners.plan(config, latent, question, keep_candidates=True)
    return around(
        world_model, config, sight, latent, question, plan, name=name, seen=seen, wanted=wanted, made=made, seed=seed
    )


def around(
    world_model: WorldModel,
    config: CEMConfig,
    sight: Sight,
    latent: torch.Tensor,
    question: Question,
    plan: PlanResult,
    *,
    name: str,
    seen: np.ndarray,
    wanted: np.ndarray,
    made: np.ndarray | None = None,
    seed: int = 0,
) -> Scene:
    """Look around a plan; arguments as of :func:`look`.

    Args:
        world_model: predicts.
        config: that the plan was made with.
        sight: of the model.
        latent: [N, D] that it was made from.
        question: that it answers.
        plan: with its history.
        name: of the scene.
        seen: uint8 RGB [H, W, 3].
        wanted: goal picture.
        made: [7] what was really done; None where nobody knows.
        seed: of the pictures of nothing.
    """
    unhurried = replace(config, time_budget=None, cuda_graphs=False)
    planner = CEMPlanner(world_model, unhurried, crop=sight.crop)
    compute = Compute(world_model, unhurried, planner.objective, pace=Pace())
    centre, steps = _whole(plan), len(plan.actions)
    shown = [centre[:3]] if made is None else [centre[:3], made[:3]]
    reach = max(steps * config.maxnorm, _ROOM * float(np.abs(shown).max()))

    def score(here: torch.Tensor, there: torch.Tensor) -> Scorer:
        return compute.begin(here, question.origin.to(world_model.device), there)

    rng = np.random.default_rng(seed)
    nothings = [
        surface(score(*(sight.encode(_nothing(rng)) for _ in range(2))), centre, reach, steps).contrast
        for _ in range(_NOTHINGS)
    ]
    return Scene(
        name=name,
        seen=seen,
        wanted=wanted,
        plan=plan,
        made=made,
        surface=surface(score(latent, question.goal.latent), centre, reach, steps),
        nothing=max(nothings),
    )


def _whole(plan: PlanResult) -> np.ndarray:
    return np.asarray(plan.actions.double().sum(dim=0).numpy())


def _nothing(rng: np.random.Generator) -> np.ndarray:
    """A picture of coloured patches without sharp edges, in a tint of its own, uint8 [256, 256, 3]."""
    tint = rng.random((1, 3, 1, 1), dtype=np.float32)
    patches = torch.from_numpy((tint + rng.random((1, 3, _PATCHES, _PATCHES), dtype=np.float32)) / 2)
    picture = torch.nn.functional.interpolate(patches, size=(_SIZE, _SIZE), mode="bilinear")
    return np.asarray((255 * picture[0]).byte().permute(1, 2, 0).numpy())
