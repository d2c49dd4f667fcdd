"""Lines in space drawn into a camera's picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

_NEAREST = 0.01  # metres before the camera; what is nearer is not drawn
_SHIFT = 3  # bits of a pixel's fractions that OpenCV draws with


@dataclass(frozen=True, kw_only=True, eq=False)
class Viewpoint:
    """Where a camera with square pictures is, in the robot base frame.

    Attributes:
        position: [3] metres.
        axes: [3, 3] whose columns point right, up and backwards in the picture.
        fovy: degrees from the upper edge of the picture to the lower.
    """

    position: np.ndarray
    axes: np.ndarray
    fovy: float

    def project(self, points: np.ndarray, side: int) -> np.ndarray:
        """Pixels [..., 2] (x to the right, y down) of points [..., 3] in a picture of ``side`` pixels.

        Points behind the camera are NaN.
        """
        seen = (points - self.position) @ self.axes
        depth = -seen[..., 2]
        depth = np.where(depth > _NEAREST, depth, np.nan)
        focal = 0.5 * side / math.tan(math.radians(0.5 * self.fovy))
        middle = 0.5 * (side - 1)
        return np.stack([middle + focal * seen[..., 0] / depth, middle - focal * seen[..., 1] / depth], axis=-1)


def draw_lines(
    picture: np.ndarray, lines: np.ndarray, colours: np.ndarray, viewpoint: Viewpoint, *, width: int, opacity: float
) -> None:
    """Draw lines into a square picture, the last one on top.

    Args:
        picture: uint8 RGB [S, S, 3], changed in place.
        lines: [K, P, 3] metres in the robot base frame.
        colours: [K, 3] RGB from 0 to 1.
        viewpoint: of the camera.
        width: of the lines in pixels.
        opacity: from 0 to 1.
    """
    over = picture.copy()
    for pixels, colour in zip(viewpoint.project(lines, len(picture)), colours, strict=True):
        if np.isfinite(pixels).all():
            corners = np.rint(pixels * 2**_SHIFT).astype(np.int32)
            rgb = tuple(float(255 * each) for each in colour)
            cv2.polylines(over, [corners], False, rgb, width, cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(over, opacity, picture, 1.0 - opacity, 0.0, dst=picture)


def draw_spot(picture: np.ndarray, point: np.ndarray, colour: np.ndarray, viewpoint: Viewpoint, radius: int) -> None:
    """A filled circle at a point [3]; a large one has a dark rim."""
    pixel = viewpoint.project(point, len(picture))
    if np.isfinite(pixel).all():
        x, y = (round(float(each)) for each in pixel)
        if radius > 3:
            cv2.circle(picture, (x, y), radius + 1, (20, 20, 20), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, tuple(float(255 * each) for each in colour), -1, cv2.LINE_AA)
