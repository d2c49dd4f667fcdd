"""The judgement as numbers for JSON, and as lines for a terminal."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vjepa_mpc.evaluation.statistics import bootstrap_interval, wilson_interval
from vjepa_mpc.judging.conventions import Preference, preferences
from vjepa_mpc.judging.evidence import Evidence, Settings
from vjepa_mpc.judging.recovery import Recovered
from vjepa_mpc.judging.stretches import DIRECTIONS, DISTANCES, direction_of, distance_of
from vjepa_mpc.judging.turn import Turn, find_turn
from vjepa_mpc.judging.verdict import Verdict, judge, long_enough, ratio_of_means


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """Everything that is said of a model.

    Attributes:
        model: its name.
        data: the recordings' name.
        about: notes on what was used, in words.
        settings: how it was judged.
        evidence: what was measured.
        turn: the rotation that explains the plans' errors.
        preferences: of conventions.
        verdict: in words.
        partial: it was interrupted.
    """

    model: str
    data: str
    about: tuple[str, ...]
    settings: Settings
    evidence: Evidence
    turn: Turn | None
    preferences: tuple[Preference, ...]
    verdict: Verdict
    partial: bool

    @classmethod
    def of(
        cls, evidence: Evidence, settings: Settings, *, model: str, data: str, about: Sequence[str], partial: bool
    ) -> Judgement:
        """What the evidence says."""
        turn = find_turn(long_enough(evidence.moves))
        preferred = preferences(evidence.tried, settings.seconds, settings.crop)
        return cls(
            model=model,
            data=data,
            about=tuple(about),
            settings=settings,
            evidence=evidence,
            turn=turn,
            preferences=tuple(preferred),
            verdict=judge(evidence, turn, preferred, partial=partial),
            partial=partial,
        )

    @functools.cached_property
    def errors(self) -> list[dict[str, Any]]:
        """See :func:`errors_by_horizon`."""
        return errors_by_horizon(self.evidence)

    @functools.cached_property
    def recovery(self) -> list[dict[str, Any]]:
        """See :func:`recovery_by_group`."""
        return recovery_by_group(self.evidence.moves)

    @functools.cached_property
    def gripper(self) -> dict[str, Any]:
        """See :func:`gripper_signs`."""
        return gripper_signs(self.evidence.toggles)


def errors_by_horizon(evidence: Evidence) -> list[dict[str, Any]]:
    """One entry a step: mean errors, and the first beside the others with 95 % intervals."""
    rows = []
    for step in range(evidence.horizon if evidence.predictions else 0):
        columns = {
            name: [getattr(each, name)[step] for each in evidence.predictions]
            for name in ("predicted", "copied", "shuffled")
        }
        row: dict[str, Any] = {"steps": step + 1, **{name: float(np.mean(found)) for name, found in columns.items()}}
        for name in ("copied", "shuffled"):
            pairs = np.stack([columns["predicted"], columns[name]], axis=1)
            row[f"beside_{name}"] = ratio_of_means(pairs)
            row[f"beside_{name}_95"] = list(bootstrap_interval(pairs, ratio_of_means))
        rows.append(row)
    return rows


def recovery_by_group(moves: Sequence[Recovered]) -> list[dict[str, Any]]:
    """Of all moves, by distance, and by direction."""
    groups: list[tuple[str, list[Recovered]]] = [("all", list(moves))]
    for index, (low, high) in enumerate(DISTANCES):
        shown = f"{100 * low:g} to {100 * high:g} cm" if math.isfinite(high) else f"{100 * low:g} cm and more"
        groups.append((shown, [each for each in moves if distance_of(each.length) == index]))
    for direction in DIRECTIONS:
        groups.append((direction, [each for each in moves if direction_of(np.array(each.made)) == direction]))
    return [_group(name, members) for name, members in groups if members]


def _group(name: str, moves: Sequence[Recovered]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "moves": name,
        "count": len(moves),
        "length_cm": 100 * float(np.median([each.length for each in moves])),
    }
    figures: dict[str, Callable[[Recovered], float]] = {
        "error_cm": lambda each: 100 * each.error,
        "direction_degrees": lambda each: each.direction,
        "left": lambda each: each.left,
    }
    for figure, of in figures.items():
        values = np.array([of(each) for each in moves])
        row[figure] = float(np.median(values))
        row[f"{figure}_95"] = list(bootstrap_interval(values, lambda drawn: float(np.median(drawn))))
    return row


def gripper_signs(toggles: Sequence[Recovered]) -> dict[str, Any]:
    """How often the sign of the gripper's move was right; opening and closing apart."""
    rows: dict[str, Any] = {}
    parts = {"all": lambda _: True, "closing": lambda made: made > 0.0, "opening": lambda made: made < 0.0}
    for name, belongs in parts.items():
        found = [each.gripper_right for each in toggles if belongs(each.made[3])]
        if found:
            rows[name] = {
                "right": sum(found),
                "count": len(found),
                "rate": sum(found) / len(found),
                "rate_95": list(wilson_interval(sum(found), len(found))),
            }
    return rows


def as_dict(judgement: Judgement) -> dict[str, Any]:
    """For JSON."""
    evidence, settings, turn = judgement.evidence, judgement.settings, judgement.turn
    return {
        "model": judgement.model,
        "data": judgement.data,
        "about": list(judgement.about),
        "verdict": judgement.verdict.motion,
        "gripper_verdict": judgement.verdict.gripper,
        "words": str(judgement.verdict),
        "checks": [asdict(each) for each in judgement.verdict.checks],
        "advice": list(judgement.verdict.advice),
        "partial": judgement.partial,
        "episodes": evidence.episodes,
        "left_out": evidence.left_out,
        "seconds_a_step": settings.seconds,
        "crop": settings.crop,
        "samples": settings.samples,
        "seed": settings.seed,
        "planner": asdict(settings.planner),
        "prediction": judgement.errors,
        "recovery": judgement.recovery,
        "gripper": judgement.gripper,
        "turn": None if turn is None else _turn(turn),
        "conventions": [asdict(each) for each in judgement.preferences],
        "moves": [asdict(each) for each in (*evidence.moves, *evidence.toggles)],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "vertical_degrees": turn.vertical,
        "vertical_degrees_95": list(turn.vertical_interval),
        "left": turn.left,
        "left_after_vertical": turn.left_vertical,
        "left_after_any_axis": turn.left_turned,
        "angle_degrees": math.degrees(turn.fit.angle),
        "angle_std_degrees": math.degrees(turn.fit.angle_std),
        "axis": turn.fit.axis.tolist(),
        "matrix": turn.fit.matrix.tolist(),
        "scale": turn.fit.scale,
        "confidence": turn.fit.confidence,
        "reliable": turn.fit.reliable,
    }


def as_text(judgement: Judgement) -> str:
    """What the command prints."""
    verdict = judgement.verdict
    marks = {True: "yes", False: "NO", None: "?"}
    lines = [f"{judgement.model} on {judgement.data}: {verdict}", ""]
    lines += [f"  {marks[check.passed]:>3}  {check.name}: {check.says}" for check in verdict.checks]
    lines += ["", *(f"  {each}" for each in verdict.advice)]
    return "\n".join(lines)
