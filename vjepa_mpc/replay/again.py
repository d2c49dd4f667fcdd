"""Recorded cycles, planned again: as they were, or with other parameters, another model or another goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from vjepa_mpc.controller.asking import config_for
from vjepa_mpc.controller.assembly import ModelSettings, load_for_planning
from vjepa_mpc.controller.planners import Planners
from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.geometry.rotation import check_rotation
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.options import Plain, build, parameters
from vjepa_mpc.planning import (
    AgreementBounds,
    CEMConfig,
    Goal,
    PlanResult,
    Question,
    planner_config,
    planner_parameters,
)
from vjepa_mpc.replay.recording import Cycle, RecordedRun, SeenPicture
from vjepa_mpc.worldmodel import Crop, WorldModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Changes:
    """What is to be other than it was.

    Attributes:
        settings: the planner's and the model's parameters in plain form, such as ``{"samples": 800}``.
        goal: a goal picture, uint8 RGB [H, W, 3], instead of the recorded ones; None for these.
        seed: of random numbers instead of the recorded ones; None for these.
    """

    settings: Mapping[str, Plain] = field(default_factory=dict)
    goal: np.ndarray | None = None
    seed: int | None = None

    def __bool__(self) -> bool:
        return bool(self.settings) or self.goal is not None or self.seed is not None


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """All that a recorded cycle is planned again from.

    Attributes:
        cycle: as recorded.
        checkpoint: of the world model, as the parameter of this name has it.
        world_model: plans.
        planners: of this model.
        config: of the planner, for this cycle.
        crop: of the pictures.
        picture: that it is planned from.
        goal_image: that it is planned for, uint8 RGB [H, W, 3].
        latent: [N, D] of what is seen where the actions begin.
        question: that the planner is asked.
        notes: what is other than it was, unasked; in words.
    """

    cycle: Cycle
    checkpoint: str
    world_model: WorldModel
    planners: Planners
    config: CEMConfig
    crop: Crop
    picture: SeenPicture
    goal_image: np.ndarray
    latent: torch.Tensor
    question: Question
    notes: tuple[str, ...]

    def plan(self, *, keep_candidates: bool = False) -> PlanResult:
        """What the planner finds; with ``PlanResult.history`` if ``keep_candidates``."""
        return self.planners.plan(self.config, self.latent, self.question, keep_candidates=keep_candidates)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replayed:
    """A recorded cycle beside the same planned again.

    Attributes:
        cycle: as recorded.
        plan: as planned again.
        notes: what was other than in the recording, unasked; in words.
    """

    cycle: Cycle
    plan: PlanResult
    notes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether actions, energies and elites are the same to the last bit."""
        cycle, plan = self.cycle, self.plan
        same = (cycle.actions, plan.actions), (cycle.elites, plan.elites), (cycle.elite_energies, plan.elite_energies)
        return cycle.energies == plan.energies and all(torch.equal(*pair) for pair in same)

    @property
    def moved(self) -> np.ndarray:
        """[7] float64: by how much the first action is another one; metres, radians, closedness."""
        return np.asarray((self.plan.actions[0].double() - self.cycle.actions[0].double()).numpy())


class Replayer:
    """Plans cycles of a recording again.

    Models and goal latents are kept, so cycles are best given in their order.

    Args:
        run: the recording.
        changes: what is to be other than it was.
    """

    def __init__(self, run: RecordedRun, changes: Changes) -> None:
        self._run, self._changes = run, changes
        self._loaded: tuple[ModelSettings, WorldModel, Planners] | None = None
        self._goals: dict[tuple[str, int, int], Goal] = {}

    def __call__(self, cycle: Cycle) -> Replayed:
        """Plan one cycle again; raises what :meth:`situation` raises."""
        situation = self.situation(cycle)
        return Replayed(cycle=cycle, plan=situation.plan(), notes=situation.notes)

    def situation(self, cycle: Cycle) -> Situation:
        """What a cycle is planned again from.

        Raises:
            DataError: a picture is not in the recording, its model cannot be loaded here, or its random numbers are of
                another kind of device.
            ImageError: a picture cannot be decoded.
            ValueError: a setting cannot be used.
        """
        values = {**cycle.settings, **self._changes.settings}
        picture, goal = self._run.picture(cycle), self._sub_goal(cycle)
        config = config_for(goal, cycle.step - 1, planner_config(values))
        model, planners = self._model(values, config)
        sight = Sight(model, build(ModelSettings, values).crop)
        key = (cycle.node, cycle.goal_id, cycle.sub_goal)
        if key not in self._goals:
            self._goals[key] = Goal(sight.encode(goal.image))
        question = cycle.question(self._goals[key], self._random_state(cycle, model))
        notes = [*cycle.notes, *self._doubts(cycle, picture, question)]
        if question.previous is not None and len(question.previous.actions) != config.rollout:
            question = replace(question, previous=None)  # as the controller does
            notes.append("without the warm start, which has another number of steps")
        start = None if np.array_equal(cycle.origin, cycle.pose) else cycle.origin
        observation = Observation(image=picture.image, pose=cycle.pose, start=start)
        rotation = check_rotation(_matrix(values.get("action_rotation")))
        return Situation(
            cycle=cycle,
            checkpoint=build(ModelSettings, values).checkpoint,
            world_model=model,
            planners=planners,
            config=config,
            crop=sight.crop,
            picture=picture,
            goal_image=goal.image,
            latent=sight.at_origin(sight.encode(picture.image), observation, rotation),
            question=question,
            notes=tuple(notes),
        )

    def _sub_goal(self, cycle: Cycle) -> SubGoal:
        if self._changes.goal is None:
            return self._run.goal(cycle)
        return SubGoal(image=self._changes.goal, gripper=self._run.gripper(cycle))

    def _model(self, values: Mapping[str, Plain], config: CEMConfig) -> tuple[WorldModel, Planners]:
        settings = build(ModelSettings, values)
        if self._loaded is None or self._loaded[0] != settings:
            try:
                model = load_for_planning(settings, config, build(AgreementBounds, values, "agreement."))
            except (OSError, ValueError) as error:
                raise DataError(
                    f"checkpoint={settings.checkpoint!r} on device={settings.device} cannot be used here ({error}): "
                    "name where the file is with --checkpoint, or another device with --set device=cpu"
                ) from error
            self._loaded = settings, model, Planners(model, None, settings.seed, None, settings.crop)
            self._goals.clear()
        return self._loaded[1:]

    def _random_state(self, cycle: Cycle, model: WorldModel) -> torch.Tensor:
        own = torch.Generator(device=model.device).manual_seed(self._changes.seed or 0).get_state()
        if self._changes.seed is not None:
            return own
        if own.shape != cycle.random_state.shape:
            raise DataError(
                f"{cycle.name} was planned on another kind of device than {model.device}, which cannot draw the same "
                "random numbers: plan it with others, --seed 0"
            )
        return cycle.random_state

    def _doubts(self, cycle: Cycle, picture: SeenPicture, question: Question) -> list[str]:
        """Why the same might not come out although nothing was changed, in words."""
        doubts = []
        if not picture.exact:
            doubts.append("the picture was recorded as JPEG, the planner saw it raw")
        if self._names_missing(cycle):
            doubts.append(f"parameters that the recording does not have: {listed(self._names_missing(cycle), 5)}")
        same_sight = not self._changes.settings.keys() & {"checkpoint", "crop", "dtype", "device", "compile"}
        if same_sight and self._changes.goal is None and question.goal.sha256 != cycle.goal_sha256:
            doubts.append("the goal picture has another latent: this is another model, or another machine")
        if cycle.settings.get("time_budget"):
            doubts.append("time_budget: how far the search came depended on the time")
        return doubts

    def _names_missing(self, cycle: Cycle) -> list[str]:
        return sorted(self._names - cycle.settings.keys())

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(each.name for each in (*planner_parameters(CEMConfig()), *parameters(ModelSettings)))


def _matrix(rows: Plain | None) -> np.ndarray | None:
    """A rotation's nine numbers as [3, 3]; None for the identity."""
    return None if rows is None else np.reshape(np.array(rows, dtype=np.float64), (3, 3))
