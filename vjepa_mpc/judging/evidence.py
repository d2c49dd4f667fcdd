"""What was measured, in the order of its importance, so that an interruption costs the least important first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from vjepa_mpc.data import Episode
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.judging.conventions import Tried, try_ways
from vjepa_mpc.judging.landscapes import Landscape, landscape
from vjepa_mpc.judging.prediction import PredictionErrors, prediction_errors
from vjepa_mpc.judging.recovery import Recovered, Recovery, longest_step
from vjepa_mpc.judging.stretches import Stretch, Walk, draw_clips, draw_moves, draw_toggles, longest_steps
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.worldmodel import Crop, WorldModel

T = TypeVar("T")
Tell = Callable[[str, int, int], None]
"""Is told what is being measured, how many are done, and of how many."""

HORIZON = 4  # steps that are predicted ahead
GAPS = (1, 2)  # steps between the two frames that a plan leads from and to
_TOGGLES, _LEAST_TOGGLES = 0.25, 8  # of the samples, more plans for moves of the gripper; and not fewer
_CONVENTION_STEPS = 2  # so that steps of half and of twice the time fit into them


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model is judged.

    Attributes:
        planner: makes the plans.
        seconds: a step of the world model.
        crop: of the pictures.
        samples: clips to predict and moves to plan, each.
        pictures: energy landscapes.
        seed: of what is drawn and planned.
    """

    planner: CEMConfig
    seconds: float
    crop: Crop
    samples: int
    pictures: int
    seed: int = 0


@dataclass(kw_only=True)
class Evidence:
    """What was measured so far.

    Attributes:
        episodes: names of those that were looked at.
        left_out: names of those that were not, with the reason.
        horizon: steps that are predicted; 0 when no two frames follow one another.
        predictions: one a clip.
        moves: plans of moves of the arm.
        toggles: plans of moves of the gripper.
        tried: clips in all conventions.
        landscapes: pictures of the energy.
    """

    episodes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    horizon: int = 0
    predictions: list[PredictionErrors] = field(default_factory=list)
    moves: list[Recovered] = field(default_factory=list)
    toggles: list[Recovered] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    landscapes: list[Landscape] = field(default_factory=list)


def gather(
    evidence: Evidence, world_model: WorldModel, episodes: Iterable[Episode], settings: Settings, tell: Tell
) -> None:
    """Measure, and add to the evidence one after the other, so that what is done stays when it is interrupted."""
    walks = _walks(evidence, episodes, settings.seconds)
    evidence.horizon = longest_steps(walks, HORIZON)
    rng = np.random.default_rng(settings.seed)
    clips = draw_clips(walks, evidence.horizon, settings.samples, rng) if evidence.horizon else []
    moves = draw_moves(walks, GAPS, settings.samples, rng)
    toggles = draw_toggles(walks, GAPS, max(_LEAST_TOGGLES, round(_TOGGLES * settings.samples)), rng)
    steps = longest_steps(walks, _CONVENTION_STEPS)
    compared = draw_clips(walks, steps, settings.samples, rng) if steps else []
    compared += draw_toggles(walks, [steps] if steps else [], len(toggles), rng)
    recover = Recovery(world_model, settings.planner, longest_step([*moves, *toggles]), settings.crop, settings.seed)

    def predict(clip: Stretch) -> PredictionErrors:
        other = clips[(clips.index(clip) + max(1, len(clips) // 2)) % len(clips)]
        return prediction_errors(world_model, clip, other, settings.crop)

    def look(stretch: Stretch) -> Landscape:
        planner, move = recover.planner(stretch.steps), by_name.get(stretch.name) or recover(stretch)
        return landscape(world_model, planner, stretch, move, settings.crop)

    jobs = _Jobs(evidence, tell)
    jobs.run("predicting", clips, predict, evidence.predictions)
    jobs.run("planning moves", moves, recover, evidence.moves)
    jobs.run("planning the gripper", toggles, recover, evidence.toggles)
    by_name = {each.name: each for each in (*evidence.moves, *evidence.toggles)}
    shown = _to_show(moves, toggles, settings.pictures)
    jobs.run("drawing energies", shown, look, evidence.landscapes)
    jobs.run("comparing conventions", compared, lambda clip: try_ways(world_model, clip, settings.crop), evidence.tried)


@dataclass(frozen=True)
class _Jobs:
    evidence: Evidence
    tell: Tell

    def run(self, what: str, stretches: Sequence[Stretch], job: Callable[[Stretch], T], found: list[T]) -> None:
        """Do one job for all stretches; those whose pictures cannot be read are named."""
        for done, stretch in enumerate(stretches):
            self.tell(what, done, len(stretches))
            try:
                found.append(job(stretch))
            except DataError as error:
                reason = str(error)
                if reason not in self.evidence.left_out:
                    self.evidence.left_out.append(reason)


def _walks(evidence: Evidence, episodes: Iterable[Episode], seconds: float) -> list[Walk]:
    walks = []
    for episode in episodes:
        try:
            walk = Walk.of(episode, seconds)
        except ValueError as error:
            evidence.left_out.append(f"{episode.name}: {error}")
            continue
        if not walk.stretches(1):
            evidence.left_out.append(f"{episode.name}: no two pictures are {seconds:g} s apart")
            continue
        evidence.episodes.append(episode.name)
        walks.append(walk)
    return walks


def _to_show(moves: Sequence[Stretch], toggles: Sequence[Stretch], count: int) -> list[Stretch]:
    """The longest moves, one along each axis before a second one along any, and a move of the gripper."""
    longest = sorted(moves, key=lambda each: -float(np.linalg.norm(each.done[:3])))
    axes = [int(np.abs(each.done[:3]).argmax()) for each in longest]
    rank = [axes[:index].count(axis) for index, axis in enumerate(axes)]
    ordered = [each for _, each in sorted(zip(rank, longest, strict=True), key=lambda pair: pair[0])]
    of_gripper = list(toggles[: int(count > 1)])
    return [*ordered[: count - len(of_gripper)], *of_gripper]
