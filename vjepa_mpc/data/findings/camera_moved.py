"""A camera that stands elsewhere than in the episode before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

# Gradients of the brightness, per pixel, from which on something is an edge; and how much they may differ.
_EDGE, _ALIKE = 3.0, 0.4
# Fewer edge pixels tell nothing.
_LEAST_PIXELS = 40
# With the camera in its place most still edges coincide (0.6 to 1.0 in the reference recordings, though the arm stands
# elsewhere); shifted by 2 pixels of 128 less than half of them do.
_SAME_PLACE, _ELSEWHERE = 0.5, 0.12
_BETTER = 1.3
_REACH = 9


class CameraMoved(Finding):
    """By the edges that are still in an episode and in the one before: do they coincide, or would they when shifted?"""

    name = "CAMERA_MOVED"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        scenes = [_Scene(each) for each in evidence]
        moved = []
        for each, before, after in zip(evidence[1:], scenes, scenes[1:], strict=False):
            shift = _shift(before, after)
            if shift is not None:
                moved.append((each.episode.name, shift))
        if moved:
            first, shift = moved[0]
            text = (
                f"from {first} on the background is shifted by some {shift:.0%} of the width or turned against the "
                f"episode before ({len(moved)} such change(s)): train and judge each place of the camera by itself"
            )
            yield Found(name=self.name, text=text, episodes=tuple(name for name, _ in moved), value=shift)


class _Scene:
    """The gradients of a background, [96, 128, 2], and where it is still."""

    def __init__(self, evidence: Evidence) -> None:
        sobel = [cv2.Sobel(evidence.background, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1))]
        self.gradients = np.stack(sobel, axis=-1)
        self.strength = np.linalg.norm(self.gradients, axis=-1)
        self.still = evidence.still.copy()
        # Sobel's values at the border are made up.
        self.still[[0, 1, -2, -1]] = False
        self.still[:, [0, 1, -2, -1]] = False


def _shift(before: _Scene, after: _Scene) -> float | None:
    """How far the background has moved, as a share of the picture's width; None: it has not, or it cannot be told."""
    in_place = _coincide(before, after, 0, 0)
    if in_place is None or in_place >= _SAME_PLACE:
        return None
    shifts = [(right, down) for right in range(-_REACH, _REACH + 1) for down in range(-_REACH, _REACH + 1)]
    shares = [_coincide(before, after, *shift) or 0.0 for shift in shifts]
    best = int(np.argmax(shares))
    if in_place < _ELSEWHERE or shares[best] > _BETTER * in_place:
        return float(np.hypot(*shifts[best])) / before.still.shape[1] or None
    return None


def _coincide(before: _Scene, after: _Scene, right: int, down: int) -> float | None:
    """Share of the still edge pixels that are alike when the first picture is shifted; None: there are too few."""
    height, width = before.still.shape
    rows, columns = _overlap(height, down), _overlap(width, right)
    there = slice(rows.start + down, rows.stop + down), slice(columns.start + right, columns.stop + right)
    here = rows, columns
    strongest = np.maximum(before.strength[here], after.strength[there])
    edges = before.still[here] & after.still[there] & (strongest > _EDGE)
    if edges.sum() < _LEAST_PIXELS:
        return None
    apart = np.linalg.norm(before.gradients[here][edges] - after.gradients[there][edges], axis=-1)
    return float((apart < _ALIKE * strongest[edges]).mean())


def _overlap(size: int, shift: int) -> slice:
    return slice(max(0, -shift), min(size, size - shift))
