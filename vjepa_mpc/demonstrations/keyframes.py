"""The pictures of a demonstration that matter: where it stops, where the gripper switches, where the way turns.

All is judged on latents, one a picture, so nothing but the pictures has to be known; a recorded gripper is used too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

START, STOP, TURN, END = "start", "stop", "turn", "end"
CLOSES, OPENS = "before it closes", "before it opens"
CLOSED, OPENED = "closed", "opened"
GRIPPER = (CLOSES, OPENS, CLOSED, OPENED)
_STILL = 0.15  # of the usual speed of the latents
_USUAL = 75.0  # percentile of speeds that is called usual
_NOISE = 5.0  # percentile of them that is the camera's noise
_WINDOW = 0.6  # seconds before and after a turn that are compared
_TURNED = -0.2  # cosine of the ways before and after it
_APART = 0.015  # of the latents' whole way: pictures nearer than that to the one before say nothing new
_SWITCHED = 0.15  # change of closedness that is a switch


@dataclass(frozen=True, kw_only=True)
class Keyframe:
    """A picture that matters: its index, and why."""

    index: int
    why: str


def find_keyframes(latents: Tensor, stamps: np.ndarray, closedness: np.ndarray | None = None) -> list[Keyframe]:
    """The pictures that matter, ascending: never the first one, and the last one unless it looks like the one before.

    Args:
        latents: [T, N, D] of the pictures, T at least 3.
        stamps: float64 [T] seconds, equally far apart.
        closedness: float64 [T] of the gripper; None where nobody recorded it.
    """
    speed = _distances(latents[:-1], latents[1:])
    noise = float(np.percentile(speed, _NOISE))
    moved = (speed - noise).clip(min=0.0)
    apart = noise + _APART * float(moved.sum())
    still = _still(moved)
    gripper = [] if closedness is None else _switches(closedness)
    found = [*_stops(latents, still, apart), *_turns(latents, stamps, still), *gripper]
    return _thinned(latents, [*found, Keyframe(index=len(latents) - 1, why=END)], apart)


def _distances(first: Tensor, second: Tensor) -> np.ndarray:
    """Mean absolute differences [K] of latents [K, N, D], row by row, which keeps memory small."""
    return np.array([float((a.float() - b.float()).abs().mean()) for a, b in zip(first, second, strict=True)])


def _still(speed: np.ndarray) -> np.ndarray:
    """Which of the pictures [T] nothing moves in, neither from the one before nor to the one after."""
    slow = speed <= _STILL * np.percentile(speed, _USUAL)
    return np.concatenate([[True], slow]) & np.concatenate([slow, [True]])


def _stops(latents: Tensor, still: np.ndarray, apart: float) -> list[Keyframe]:
    """One picture of each stop; two where something has changed in the course of it, such as the gripper."""
    found = []
    for first, last in _runs(still):
        if first == 0 or last == len(still) - 1:  # the start, and the end, which counts anyway
            continue
        changed = _distances(latents[first : first + 1], latents[last : last + 1])[0] > apart
        ends = (first, last) if changed else ((first + last) // 2,)
        found += [Keyframe(index=index, why=STOP) for index in ends]
    return found


def _turns(latents: Tensor, stamps: np.ndarray, still: np.ndarray) -> list[Keyframe]:
    """Where the way of the latents turns back: the sharpest picture of each such stretch."""
    reach = max(1, round(_WINDOW / (stamps[1] - stamps[0])))
    cosines = np.ones(len(latents))
    for index in range(reach, len(latents) - reach):
        if still[index - reach : index + reach + 1].any():
            continue
        before = (latents[index].float() - latents[index - reach].float()).flatten()
        after = (latents[index + reach].float() - latents[index].float()).flatten()
        cosines[index] = float(torch.nn.functional.cosine_similarity(before, after, dim=0))
    return [
        Keyframe(index=first + int(np.argmin(cosines[first : last + 1])), why=TURN)
        for first, last in _runs(cosines < _TURNED)
    ]


def _switches(closedness: np.ndarray) -> list[Keyframe]:
    """The last picture before the gripper moves, and the first one after it has, for each switch."""
    low, high = float(closedness.min()), float(closedness.max())
    if high - low < _SWITCHED:
        return []
    share = (closedness - low) / (high - low)
    found: list[Keyframe] = []
    closed = share[0] > 0.5
    rest = 0  # the last picture in which the gripper was at rest
    switching = False
    for index, value in enumerate(share):
        at_rest = value > 0.9 if closed else value < 0.1
        if not switching and at_rest:
            rest = index
        if not switching and (value < 0.5 if closed else value > 0.5):
            switching, closed = True, not closed
            found.append(Keyframe(index=rest, why=CLOSES if closed else OPENS))
        if switching and (value > 0.9 if closed else value < 0.1):
            switching, rest = False, index
            found.append(Keyframe(index=index, why=CLOSED if closed else OPENED))
    return [each for each in found if each.index > 0]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each stretch of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _thinned(latents: Tensor, found: Sequence[Keyframe], apart: float) -> list[Keyframe]:
    """Without those that look like the one before, or like the start; all of the gripper stay."""
    kept: list[Keyframe] = []
    for each in sorted(found, key=lambda each: each.index):
        before = kept[-1] if kept else Keyframe(index=0, why=START)
        new = _distances(latents[before.index][None], latents[each.index][None])[0] > apart
        if not new and before.why not in (START, *GRIPPER):
            kept[-1] = each
        elif new or each.why in GRIPPER:
            kept.append(each)
    return kept
