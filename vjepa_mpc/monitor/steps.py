"""The steps of the work: found where the gripper opens or closes, or where little moves, or named by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_CHANGE = 0.15  # of closedness, between two neighbouring stretches
_SHORTEST = 4  # phases


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of the course: its name, its first phase, and the first one after it."""

    name: str
    begin: int
    end: int


def found_steps(closedness: np.ndarray | None, speed: np.ndarray) -> tuple[Step, ...]:
    """Cut a course where the gripper changes, or where it stands still when no gripper tells.

    Args:
        closedness: [P] of the mean course, or None.
        speed: [P] how much the picture changes in each phase.
    """
    cuts = _gripper_changes(closedness) if closedness is not None else []
    cuts = cuts or _pauses(speed)
    edges = [0, *cuts, len(speed)]
    return tuple(
        Step(name=f"step {number + 1}", begin=begin, end=end) for number, (begin, end) in enumerate(pairwise(edges))
    )


def step_at(steps: Sequence[Step], phase: int) -> int:
    """The number of the step that a phase belongs to."""
    return next((number for number, step in enumerate(steps) if phase < step.end), len(steps) - 1)


def read_steps(path: Path) -> list[tuple[str, float]]:
    """Names and ends of steps that a user wrote down.

    The YAML says ``steps: [{name: fetch, until: 4.5}, ...]``, where ``until`` is seconds in a run of usual pace; the
    last one may leave it out.

    Raises:
        ValueError: the file says something else.
    """
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    rows = said.get("steps") if isinstance(said, dict) else None
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path}: no list `steps` in it: write steps: [{{name: fetch, until: 4.5}}, {{name: place}}]")
    steps = [(_name(path, row), _until(path, row, last=row is rows[-1])) for row in rows]
    ends = [end for _, end in steps]
    if sorted(set(ends)) != ends:
        raise ValueError(f"{path}: the steps' `until` are {ends}: each has to be later than the one before")
    names = [name for name, _ in steps]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: the steps are called {', '.join(names)}: give each a name of its own")
    return steps


def named_steps(said: Sequence[tuple[str, float]], phases: int, period: float) -> tuple[Step, ...]:
    """Steps of a course from names and seconds.

    Raises:
        ValueError: a step begins after the course has ended.
    """
    edges = [0, *(min(phases, round(end / period)) if np.isfinite(end) else phases for _, end in said)]
    edges[-1] = phases
    for (name, _), begin, end in zip(said, edges[:-1], edges[1:], strict=True):
        if end <= begin:
            raise ValueError(
                f"step {name!r} would last from {begin * period:.1f} to {end * period:.1f} s, but the usual run takes "
                f"{phases * period:.1f} s: correct `until`"
            )
    pairs = zip(said, edges[:-1], edges[1:], strict=True)
    return tuple(Step(name=name, begin=begin, end=end) for (name, _), begin, end in pairs)


def _gripper_changes(closedness: np.ndarray) -> list[int]:
    """The middles of the stretches in which it opens or closes."""
    changing = np.abs(np.gradient(closedness)) > _CHANGE / 3
    cuts, begin = [], None
    for phase, moving in enumerate([*changing, False]):
        if moving and begin is None:
            begin = phase
        elif not moving and begin is not None:
            if abs(closedness[min(phase, len(closedness) - 1)] - closedness[max(begin - 1, 0)]) > _CHANGE:
                cuts.append((begin + phase) // 2 + 1)
            begin = None
    return [cut for cut in cuts if _SHORTEST <= cut <= len(closedness) - _SHORTEST]


def _pauses(speed: np.ndarray) -> list[int]:
    """Where it is slower than anywhere around, and slower than half of the usual."""
    smooth = np.convolve(speed, np.ones(3) / 3, mode="same")
    around = 2 * _SHORTEST
    return [
        phase
        for phase in range(around, len(smooth) - around)
        if smooth[phase] == smooth[phase - around : phase + around + 1].min()
        and smooth[phase] < 0.5 * np.median(smooth)
    ]


def _name(path: Path, row: Any) -> str:
    if not isinstance(row, dict) or not str(row.get("name", "")).strip() or set(row) - {"name", "until"}:
        raise ValueError(f"{path}: step {row!r}: write {{name: fetch, until: 4.5}}")
    return str(row["name"])


def _until(path: Path, row: Any, *, last: bool) -> float:
    until = row.get("until", float("inf") if last else None)
    if isinstance(until, bool) or not isinstance(until, (int, float)) or not until > 0:
        raise ValueError(f"{path}: step {row['name']!r}: `until` is {until!r}: give seconds from the run's beginning")
    return float(until)
