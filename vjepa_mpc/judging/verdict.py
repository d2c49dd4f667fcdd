"""The verdict in words, with the thresholds that it is made by and why they are what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vjepa_mpc.evaluation.statistics import bootstrap_interval, wilson_interval
from vjepa_mpc.judging.conventions import Preference
from vjepa_mpc.judging.evidence import Evidence
from vjepa_mpc.judging.recovery import Recovered
from vjepa_mpc.judging.turn import Turn

READY, CALIBRATE, NOT_READY, NOT_JUDGED = "ready", "ready with calibration", "not ready", "cannot be judged"

MOST_LEFT = 0.5
"""A plan may leave half of the way: in closed loop four plans, the shortest budget of the paper's sub-goals, then leave
6 % of it (1.2 cm of 20 cm). A plan of the right length that goes 30° astray leaves half of the way."""

LONG_ENOUGH = 0.02
"""Metres; moves that the verdict counts. The spread of a plan (half a centimetre with the preset cpu) hides shorter."""

LEAST_MOVES = 10
"""Fewer moves give a median that the next recording may turn over."""

LEAST_CLIPS = 10
"""Fewer clips do not tell a better prediction from chance."""

LEAST_TOGGLES = 5
"""Below, even all right ones have a 95 % interval that reaches down to a coin's toss."""

GRIPPER_RIGHT = 0.75
"""Share of the gripper's moves whose sign has to be right: a wrong one drops what is held, and a sub-goal of four plans
survives one."""

WORTH_TURNING = 10.0
"""Degrees from which on a calibration is advised although plans are good enough: it leaves 17 % of the way less."""

LESS_BY_TURNING = 0.8
"""A rotation has to leave no more than this share of what is left without it, or something else is wrong."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question and its answer.

    Attributes:
        name: what was asked.
        passed: None: it cannot be told.
        says: the answer in words, with the figures.
    """

    name: str
    passed: bool | None
    says: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to do with the model.

    Attributes:
        motion: READY, CALIBRATE, NOT_READY or NOT_JUDGED, about moving the arm.
        gripper: the same about the gripper, never CALIBRATE.
        checks: what they rest on.
        advice: what to do, in words.
    """

    motion: str
    gripper: str
    checks: tuple[Check, ...]
    advice: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        moving = f"{self.motion[0].upper()}{self.motion[1:]}"
        return moving if self.motion == NOT_JUDGED else f"{moving} to move the arm; gripper: {self.gripper}"


def judge(
    evidence: Evidence, turn: Turn | None, preferences: Sequence[Preference], *, partial: bool = False
) -> Verdict:
    """The verdict.

    Args:
        evidence: what was measured.
        turn: the rotation that explains the plans' errors; None where it cannot be told.
        preferences: of conventions.
        partial: it was interrupted.
    """
    predicting = [_better_than_copying(evidence), _understands_actions(evidence)]
    recovering, turning = _recovers(evidence.moves), _turning(evidence.moves, turn)
    gripper = _gripper(evidence.toggles)
    motion = _motion(predicting, recovering, turning, turn)
    hints = [_hint(each) for each in preferences if each.contrary]
    return Verdict(
        motion=motion,
        gripper=_of(gripper),
        checks=(*predicting, recovering, turning, gripper),
        advice=(*_advice(motion, predicting, recovering, partial), *hints),
    )


def long_enough(moves: Sequence[Recovered]) -> list[Recovered]:
    """Those that the verdict counts."""
    return [each for each in moves if each.length >= LONG_ENOUGH]


def _motion(predicting: Sequence[Check], recovering: Check, turning: Check, turn: Turn | None) -> str:
    if any(each.passed is False for each in predicting):
        return NOT_READY
    if recovering.passed is None or any(each.passed is None for each in predicting):
        return NOT_JUDGED
    if recovering.passed:
        return CALIBRATE if turning.passed and turn is not None and _is_worth_it(turn) else READY
    return CALIBRATE if turning.passed and turn is not None and turn.left_turned <= MOST_LEFT else NOT_READY


def _is_worth_it(turn: Turn) -> bool:
    return bool(np.degrees(turn.fit.angle) >= WORTH_TURNING)


def _of(check: Check) -> str:
    return NOT_JUDGED if check.passed is None else READY if check.passed else NOT_READY


def _better_than_copying(evidence: Evidence) -> Check:
    return _beside("it predicts better than the last frame does", evidence, "copied", "that of copying the frame")


def _understands_actions(evidence: Evidence) -> Check:
    return _beside("it matters to it what the arm does", evidence, "shuffled", "that with another clip's actions")


def _beside(name: str, evidence: Evidence, other: str, what: str) -> Check:
    pairs = np.array([(each.predicted[0], getattr(each, other)[0]) for each in evidence.predictions]).reshape(-1, 2)
    if len(pairs) < LEAST_CLIPS:
        return Check(name=name, passed=None, says=f"{len(pairs)} clip(s) are too few: {LEAST_CLIPS} are needed")
    low, high = bootstrap_interval(pairs, ratio_of_means)
    said = f"the error of one step is {ratio_of_means(pairs):.2f} times {what} (95 %: {low:.2f} to {high:.2f})"
    return Check(name=name, passed=high < 1.0, says=said)


def ratio_of_means(pairs: np.ndarray) -> float:
    """Of the first column over the second."""
    first, second = pairs.mean(axis=0)
    return float(first / max(second, 1e-9))


def _recovers(moves: Sequence[Recovered]) -> Check:
    name = "its plans do what the arm did"
    counted = long_enough(moves)
    if len(counted) < LEAST_MOVES:
        return Check(
            name=name,
            passed=None,
            says=f"{len(counted)} move(s) of {100 * LONG_ENOUGH:g} cm or more are too few: {LEAST_MOVES} are needed",
        )
    left = np.array([each.left for each in counted])
    low, high = bootstrap_interval(left, lambda values: float(np.median(values)))
    return Check(
        name=name,
        passed=float(np.median(left)) <= MOST_LEFT,
        says=f"half of {len(counted)} plans leave {100 * np.median(left):.0f} % of the way or less (95 %: "
        f"{100 * low:.0f} to {100 * high:.0f} %; at most {100 * MOST_LEFT:.0f} %), "
        f"{np.median([each.direction for each in counted]):.0f}° astray",
    )


def _turning(moves: Sequence[Recovered], turn: Turn | None) -> Check:
    name = "a rotation explains what is wrong with them"
    if turn is None:
        return Check(name=name, passed=None, says=f"{len(moves)} move(s), too few or all along one line")
    low, high = turn.vertical_interval
    angle, uncertain = np.degrees([turn.fit.angle, turn.fit.angle_std])
    return Check(
        name=name,
        passed=bool(turn.fit.reliable and turn.left_turned <= LESS_BY_TURNING * turn.left),
        says=f"{turn.vertical:.0f}° about the vertical (95 %: {low:.0f} to {high:.0f}°) leave "
        f"{100 * turn.left_vertical:.0f} % of the way, {angle:.0f} ± {uncertain:.0f}° about any axis "
        f"{100 * turn.left_turned:.0f} %, none {100 * turn.left:.0f} %",
    )


def _gripper(toggles: Sequence[Recovered]) -> Check:
    name = "it opens and closes the gripper where the arm did"
    right, count = sum(each.gripper_right for each in toggles), len(toggles)
    if count < LEAST_TOGGLES:
        return Check(
            name=name, passed=None, says=f"{count} moves of the gripper are too few: {LEAST_TOGGLES} are needed"
        )
    low, high = wilson_interval(right, count)
    return Check(
        name=name,
        passed=right / count >= GRIPPER_RIGHT,
        says=f"{right} of {count} (95 %: {100 * low:.0f} to {100 * high:.0f} %)",
    )


def _advice(motion: str, predicting: Sequence[Check], recovering: Check, partial: bool) -> list[str]:
    said = []
    if partial:
        said.append("The run was interrupted: this rests on a part of the samples.")
    if motion == READY:
        said.append("Try it on the arm with short goals first, in a small workspace box.")
    if motion == CALIBRATE:
        said.append(
            "Give the planner the rotation: `calibration:=action_rotation.yaml` at launch, or make one on the arm with "
            "`ros2 run vjepa_mpc calibrate`."
        )
    if motion == NOT_READY:
        wrong = [each for each in (*predicting, recovering) if each.passed is False]
        said += [f"It is not so that {each.name}: {each.says}." for each in wrong]
        said.append("Look the recordings over (`vjepa-mpc data inspect`), then post-train on more of them.")
    if motion == NOT_JUDGED:
        said.append(
            "Record more of the arm in motion: minutes, in all directions, with the gripper opening and closing."
        )
    return said


def _hint(preference: Preference) -> str:
    remedy = {
        "crop": f"give `--crop {preference.other}`, and the planner `crop:={preference.other}`",
        "colours": "set or remove `colours: bgr` in the mapping",
        "seconds a step": f"give `--seconds-a-step {preference.other.removesuffix(' s')}`",
        "gripper": "exchange `gripper_open` and `gripper_closed` in the mapping",
    }[preference.convention]
    return (
        f"It predicts {-100 * (preference.change or 0.0):.0f} % better with {preference.convention}: "
        f"{preference.other}. If that is what the model was trained with, {remedy}."
    )
