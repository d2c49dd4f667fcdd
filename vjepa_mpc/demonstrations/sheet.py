"""The contact sheet of found sub-goals."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vjepa_mpc.demonstrations.proposal import ProposedGoal
from vjepa_mpc.images import encode_png

_COLUMNS, _WIDTH, _SPACE, _CAPTION = 4, 240, 6, 38
_PAPER, _INK = 250, (30, 30, 30)


def contact_sheet(goals: Sequence[ProposedGoal]) -> bytes:
    """PNG: each picture over its number, its time, why it was taken, its budget and the gripper."""
    cells = [_cell(number, goal) for number, goal in enumerate(goals, start=1)]
    empty = np.full_like(cells[0], _PAPER)
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    if len(rows) > 1:
        rows[-1] += [empty] * (_COLUMNS - len(rows[-1]))
    return encode_png(np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def _cell(number: int, goal: ProposedGoal) -> np.ndarray:
    height = round(goal.picture.shape[0] * _WIDTH / goal.picture.shape[1])
    cell = np.full((height + _CAPTION + 2 * _SPACE, _WIDTH + 2 * _SPACE, 3), _PAPER, np.uint8)
    small = cv2.resize(goal.picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    cell[_SPACE : _SPACE + height, _SPACE : _SPACE + _WIDTH] = small
    lines = f"{number}. {goal.seconds:.1f} s: {goal.why}", f"{goal.steps} steps, gripper {goal.gripper}"
    for row, line in enumerate(lines):
        place = (_SPACE, height + _SPACE + 15 + 17 * row)
        cv2.putText(cell, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return cell
