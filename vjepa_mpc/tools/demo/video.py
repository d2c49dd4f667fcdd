"""The demo's film: live view, what is expected of the action, and goal view; energy and distance below."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

FPS = 15
VIEW = 400  # pixels, width and height of a picture
MARGIN = 16
HEADER = 56
CHART_HEIGHT = 190
WIDTH = 3 * VIEW + 4 * MARGIN
CHART_WIDTH = (WIDTH - 3 * MARGIN) // 2
HEIGHT = HEADER + VIEW + CHART_HEIGHT + 3 * MARGIN  # even, as the codec wants

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BACKGROUND = (250, 250, 248)
_TEXT = (40, 42, 46)
_FAINT = (150, 152, 156)
_GRID = (222, 222, 220)
_UNKNOWN = np.full((8, 8, 3), 225, np.uint8)
ENERGY_COLOR = (31, 119, 180)
DISTANCE_COLOR = (214, 90, 30)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a frame shows.

    Attributes:
        live: what the camera sees, uint8 RGB, with what is drawn into it.
        expected: what the model expects to see after the action; None while nobody knows.
        goal: the sub-goal's picture, uint8 RGB.
        title: upper line, left.
        note: upper line, right.
        caption: in the goal view's corner.
        energy: of the newest plan, NaN before the first one.
        distance: to the goal in metres.
    """

    live: np.ndarray
    expected: np.ndarray | None
    goal: np.ndarray
    title: str
    note: str
    caption: str
    energy: float
    distance: float


@dataclass(eq=False)
class Curves:
    """What an episode's charts are drawn from: one value a frame, and where sub-goals changed."""

    energy: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)


class DemoVideo:
    """Writes an MP4 (H.264, 4:2:0, index in front: plays in browsers and office programs) frame by frame."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = imageio_ffmpeg.write_frames(
            str(path),
            (WIDTH, HEIGHT),
            fps=FPS,
            codec="libx264",
            pix_fmt_out="yuv420p",
            macro_block_size=2,
            output_params=["-preset", "veryfast", "-crf", "22", "-movflags", "+faststart", "-threads", "1"],
            ffmpeg_log_level="error",
        )
        self._writer.send(None)
        self._curves = Curves()
        self._caption = ""
        self._last: np.ndarray | None = None

    def start_episode(self) -> None:
        """Begin with empty charts."""
        self._curves = Curves()
        self._caption = ""

    def add(self, moment: Moment) -> None:
        """Append a frame."""
        curves = self._curves
        if moment.caption != self._caption:
            self._caption = moment.caption
            if curves.energy:
                curves.changes.append(len(curves.energy))
        curves.energy.append(moment.energy)
        curves.distance.append(100.0 * moment.distance)
        self._last = compose(moment, curves)
        self._writer.send(self._last)

    def hold(self, seconds: float) -> None:
        """Show the last frame for a while."""
        if self._last is not None:
            for _ in range(round(seconds * FPS)):
                self._writer.send(self._last)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def compose(moment: Moment, curves: Curves) -> np.ndarray:
    """One frame, uint8 RGB [HEIGHT, WIDTH, 3]."""
    frame = np.full((HEIGHT, WIDTH, 3), _BACKGROUND, np.uint8)
    _write(frame, moment.title, (MARGIN, 36), 0.75, _TEXT, thickness=2)
    (width, _), _ = cv2.getTextSize(moment.note, _FONT, 0.5, 1)
    _write(frame, moment.note, (WIDTH - MARGIN - width, 34), 0.5, _FAINT)
    top = HEADER
    views = (
        (moment.live, "camera, and where candidates lead"),
        (_UNKNOWN if moment.expected is None else moment.expected, "what the model expects to see next"),
        (moment.goal, moment.caption),
    )
    for column, (picture, label) in enumerate(views):
        left = MARGIN + column * (VIEW + MARGIN)
        frame[top : top + VIEW, left : left + VIEW] = cv2.resize(picture, (VIEW, VIEW), interpolation=cv2.INTER_CUBIC)
        _label(frame, label, (left, top))
    below = HEADER + VIEW + MARGIN
    _chart(
        frame, (MARGIN, below), curves.energy, curves.changes, "energy (latent L1 to the goal)", "{:.2f}", ENERGY_COLOR
    )
    right = 2 * MARGIN + CHART_WIDTH
    _chart(
        frame, (right, below), curves.distance, curves.changes, "distance to the goal [cm]", "{:.1f}", DISTANCE_COLOR
    )
    return frame


def _label(frame: np.ndarray, text: str, corner: tuple[int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.6, 1)
    x, y = corner
    frame[y : y + height + 16, x : x + width + 16] = (frame[y : y + height + 16, x : x + width + 16] * 0.35).astype(
        np.uint8
    )
    _write(frame, text, (x + 8, y + height + 8), 0.6, (255, 255, 255))


def _chart(
    frame: np.ndarray,
    corner: tuple[int, int],
    values: list[float],
    changes: list[int],
    title: str,
    unit: str,
    color: tuple[int, int, int],
) -> None:
    x, y = corner
    left, right, top, bottom = x + 52, x + CHART_WIDTH, y + 26, y + CHART_HEIGHT - 8
    _write(frame, title, (x, y + 12), 0.5, _TEXT)
    finite = [value for value in values if np.isfinite(value)]
    highest = _round_up(max(finite, default=1.0))
    for share in (0.0, 0.5, 1.0):
        level = round(bottom - share * (bottom - top))
        cv2.line(frame, (left, level), (right, level), _GRID, 1)
        _write(frame, unit.format(share * highest), (x, level + 5), 0.42, _FAINT)
    scale = (right - left) / max(len(values) - 1, 1)
    for change in changes:
        at = round(left + change * scale)
        cv2.line(frame, (at, top), (at, bottom), _GRID, 1)
    points = [
        (round(left + index * scale), round(bottom - value / highest * (bottom - top)))
        for index, value in enumerate(values)
        if np.isfinite(value)
    ]
    if points:
        cv2.polylines(frame, [np.array(points, np.int32)], False, color, 2, cv2.LINE_AA)
        cv2.circle(frame, points[-1], 4, color, -1, cv2.LINE_AA)
        _write(frame, unit.format(finite[-1]), (right - 60, y + 12), 0.5, color, thickness=2)


def _round_up(value: float) -> float:
    """A round number a little above."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-6)))
    return float(next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if step * power >= value))


def _write(
    frame: np.ndarray, text: str, at: tuple[int, int], size: float, color: tuple[int, int, int], thickness: int = 1
) -> None:
    cv2.putText(frame, text, at, _FONT, size, color, thickness, cv2.LINE_AA)
