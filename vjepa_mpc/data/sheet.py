"""The contact sheet: a row of pictures an episode, with the state that belongs to each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vjepa_mpc.data.episode import Episode
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.images import encode_png

COLUMNS = 8
MOST_ROWS = 40
_WIDTH = 176
_TITLE, _CAPTION, _BAR, _SPACE = 20, 16, 5, 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK, _PAPER, _CLOSED, _EMPTY = (30, 30, 30), 250, (200, 60, 40), (215, 215, 215)


def write_sheet(episodes: Sequence[Episode], path: Path) -> int:
    """Write the contact sheet as a PNG; of many episodes some, evenly chosen. Returns the number of rows.

    Raises:
        DataError: no picture can be read.
    """
    chosen = np.unique(np.linspace(0, len(episodes) - 1, min(len(episodes), MOST_ROWS)).round().astype(int))
    rows = [row for row in (_row(episodes[index]) for index in chosen) if row is not None]
    if not rows:
        raise DataError("no picture of any episode can be read: there is nothing to show")
    width = max(row.shape[1] for row in rows)
    padded = [_padded(row, width) for row in rows]
    path.write_bytes(encode_png(np.concatenate(padded)))
    return len(rows)


def _row(episode: Episode) -> np.ndarray | None:
    stamps = np.linspace(episode.stamps[0], episode.stamps[-1], COLUMNS)
    try:
        pictures = episode.images(stamps)
    except DataError:
        return None
    cells = [
        _cell(picture, state, stamp - stamps[0])
        for picture, state, stamp in zip(pictures, episode.states(stamps), stamps, strict=True)
    ]
    strip = np.concatenate(cells, axis=1)
    title = _paper(_TITLE, strip.shape[1])
    seconds = stamps[-1] - stamps[0]
    task = f"   {episode.task}" if episode.task else ""
    _write(title, f"{episode.name}   {seconds:.1f} s, {len(episode)} pictures{task}", (_SPACE, 14), 0.45)
    return np.concatenate([title, strip, _paper(2 * _SPACE, strip.shape[1])])


def _cell(picture: np.ndarray, state: np.ndarray, seconds: float) -> np.ndarray:
    """A picture over its time, its position in cm, and a bar that is as full as the gripper is closed."""
    height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
    small = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    bar = np.full((_BAR, _WIDTH, 3), _EMPTY, np.uint8)
    bar[:, : round(float(state[6]) * _WIDTH)] = _CLOSED
    caption = _paper(_CAPTION, _WIDTH)
    x, y, z = 100 * state[:3]
    _write(caption, f"{seconds:.1f} s   {x:.0f}, {y:.0f}, {z:.0f} cm", (2, 12), 0.38)
    cell = np.concatenate([small, bar, caption])
    return np.concatenate([cell, _paper(len(cell), _SPACE)], axis=1)


def _write(paper: np.ndarray, text: str, place: tuple[int, int], scale: float) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's fonts have no other letters
    cv2.putText(paper, plain, place, _FONT, scale, _INK, 1, cv2.LINE_AA)


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), _PAPER, np.uint8)


def _padded(row: np.ndarray, width: int) -> np.ndarray:
    return np.concatenate([row, _paper(len(row), width - row.shape[1])], axis=1)
