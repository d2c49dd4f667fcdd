"""Camera, goal and imagination side by side, as one picture with a label over each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vjepa_mpc.dashboard.seen import Picture, Seen

TILE = 320  # pixels a side
_LABEL = 26  # pixels of height
_GAP = 6
_DARK, _GREY, _LIGHT, _AMBER = (24, 26, 30), (46, 50, 56), (225, 228, 232), (255, 190, 60)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.47
_LINE = 20  # pixels between lines of words
_OLD = 2.0  # seconds after which a live picture says how old it is


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture with its label; without a picture, words in its place."""

    label: str
    image: np.ndarray | None
    words: str = ""


def tiles(seen: Seen, surprise: bool, now: float) -> tuple[Tile, ...]:
    """What stands side by side.

    Args:
        seen: the newest of everything.
        surprise: show in the camera's place where the last prediction was wrong.
        now: steady seconds.
    """
    camera = (
        _live("camera + surprise", seen.surprise, "no prediction was compared yet", now)
        if surprise
        else _live("camera", seen.camera, "no picture from the camera", now)
    )
    imagination = (
        _live("imagination", seen.imagination, "comes with the next plan", now, old=np.inf)
        if seen.imagination_source
        else Tile("imagination", None, seen.no_imagination)
    )
    return camera, _goal(seen, now), imagination


def compose(shown: Sequence[Tile]) -> np.ndarray:
    """Tiles in a row: uint8 RGB [TILE + label, …, 3]."""
    gap = np.full((TILE + _LABEL, _GAP, 3), _DARK, dtype=np.uint8)
    parts: list[np.ndarray] = []
    for tile in shown:
        parts += [gap, _drawn(tile)] if parts else [_drawn(tile)]
    return np.concatenate(parts, axis=1)


def fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture inside a box of another shape: as large as fits, centred, dark around it."""
    scale = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR)
    box = np.full((height, width, 3), _DARK, dtype=np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    box[top : top + small.shape[0], left : left + small.shape[1]] = small
    return box


def _live(label: str, picture: Picture | None, without: str, now: float, old: float = _OLD) -> Tile:
    if picture is None:
        return Tile(label, None, without)
    age = now - picture.received
    label = f"{label}, {age:.0f} s old" if age > old else label
    try:
        return Tile(label, picture.decode())
    except ValueError as error:
        return Tile(label, None, str(error))


def _goal(seen: Seen, now: float) -> Tile:
    goal, status = seen.goal, seen.status
    if goal is None or status is None or not status.goal_id or status.goal_id != goal.goal_id or not goal.pictures:
        return Tile("goal", None, "no goal is set")
    index = min(status.sub_goal, len(goal.pictures) - 1)
    label = f"goal {index + 1} of {len(goal.pictures)}"
    intent = goal.gripper[index] if index < len(goal.gripper) else ""
    label += f", gripper {intent}" if intent not in ("", "free") else ""
    return _live(label, goal.pictures[index], "", now, old=np.inf)


def _drawn(tile: Tile) -> np.ndarray:
    head = np.full((_LABEL, TILE, 3), _DARK, dtype=np.uint8)
    colour = _AMBER if "old" in tile.label else _LIGHT
    cv2.putText(head, tile.label, (4, 18), _FONT, _SIZE, colour, 1, cv2.LINE_AA)
    body = _words(tile.words) if tile.image is None else fitted(tile.image, TILE, TILE)
    return np.concatenate([head, body])


def _words(text: str) -> np.ndarray:
    body = np.full((TILE, TILE, 3), _GREY, dtype=np.uint8)
    lines = _wrapped(text)
    top = (TILE - _LINE * (len(lines) - 1)) // 2
    for number, line in enumerate(lines):
        width = cv2.getTextSize(line, _FONT, _SIZE, 1)[0][0]
        at = ((TILE - width) // 2, top + number * _LINE)
        cv2.putText(body, line, at, _FONT, _SIZE, _LIGHT, 1, cv2.LINE_AA)
    return body


def _wrapped(text: str, width: int = TILE - 24) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and cv2.getTextSize(longer, _FONT, _SIZE, 1)[0][0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
