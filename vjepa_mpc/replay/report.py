"""Cycles that were planned again beside what was recorded, as lines and for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vjepa_mpc.replay.again import Replayed
from vjepa_mpc.replay.recording import Cycle

_SEARCHED = (0, 1, 2, 6)  # of an action: dx, dy, dz and the change of closedness
HEAD = (
    f"{'goal':>5} {'sub':>3} {'step':>4}  {'recorded: dx dy dz [cm], gripper':>34}  {'again':>28}  "
    f"{'moved [cm]':>10}  {'energy':>15}"
)


@dataclass(frozen=True, kw_only=True)
class NotReplayed:
    """A cycle that could not be planned again, and why."""

    cycle: Cycle
    reason: str


Outcome = Replayed | NotReplayed


def line(outcome: Outcome) -> str:
    """A row of the table under :data:`HEAD`, with what there is to say below it."""
    cycle = outcome.cycle
    start = f"{cycle.goal_id:5d} {cycle.sub_goal:3d} {cycle.step:4d}  {_action(cycle.actions[0].numpy()):>34}  "
    if isinstance(outcome, NotReplayed):
        return f"{start}not planned: {outcome.reason}"
    energies = f"{_last(cycle.energies)} > {_last(outcome.plan.energies)}"
    moved = "identical" if outcome.identical else f"{100 * float(np.linalg.norm(outcome.moved[:3])):.2f}"
    row = f"{start}{_action(outcome.plan.actions[0].numpy()):>28}  {moved:>10}  {energies:>15}"
    return "\n".join([row, *(f"{'':16}note: {note}" for note in outcome.notes)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """All of them in one line."""
    done = [each for each in outcomes if isinstance(each, Replayed)]
    left = len(outcomes) - len(done)
    text = f"{len(done)} of {len(outcomes)} cycle(s) planned again, {sum(each.identical for each in done)} identical"
    if moved := [float(np.linalg.norm(each.moved[:3])) for each in done if not each.identical]:
        text += f"; the others' first action moved by {100 * float(np.median(moved)):.2f} cm (median), "
        text += f"{100 * max(moved):.2f} cm at most"
    return text + (f"; {left} could not be" if left else "")


def as_dict(outcomes: Sequence[Outcome], changed: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """For JSON.

    Args:
        outcomes: of all cycles.
        changed: what was asked to be other than recorded.
        notes: on the recording as a whole.
    """
    done = [each for each in outcomes if isinstance(each, Replayed)]
    return {
        "changed": dict(changed),
        "cycles": [_cycle(each) for each in outcomes],
        "planned": len(done),
        "identical": sum(each.identical for each in done),
        "notes": list(notes),
    }


def _cycle(outcome: Outcome) -> dict[str, Any]:
    cycle = outcome.cycle
    seconds, nanoseconds = cycle.image_stamp
    found: dict[str, Any] = {
        "goal_id": cycle.goal_id,
        "sub_goal": cycle.sub_goal,
        "step": cycle.step,
        "image_stamp": f"{seconds}.{nanoseconds:09d}",
        "recorded": {"actions": cycle.actions.tolist(), "energies": list(cycle.energies)},
    }
    if isinstance(outcome, NotReplayed):
        return {**found, "again": None, "reason": outcome.reason}
    plan, outlook = outcome.plan, outcome.plan.outlook
    again = {
        "actions": plan.actions.tolist(),
        "energies": list(plan.energies),
        "gain": None if outlook is None else outlook.gain,
        "contrast": None if outlook is None else outlook.contrast,
        "seconds": plan.timings["total"],
    }
    return {
        **found,
        "again": again,
        "identical": outcome.identical,
        "moved": outcome.moved.tolist(),
        "notes": list(outcome.notes),
    }


def _action(action: np.ndarray) -> str:
    dx, dy, dz, gripper = (float(action[index]) for index in _SEARCHED)
    return f"{100 * dx:+6.2f} {100 * dy:+6.2f} {100 * dz:+6.2f} {gripper:+6.2f}"


def _last(energies: Sequence[float]) -> str:
    return f"{energies[-1]:.4f}" if energies else "none"
