"""Is a goal picture one that this camera could have taken of this scene?

A planner follows whatever picture it gets. These checks call a picture by name that has another shape than the
camera's, hardly any pixels, no contrast or colour, or other colours, before anything moves. What they judge are pixels;
whether the world model sees the goal is told by its plans (``GOAL_NOT_SEEN``, ``NO_PROGRESS``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vjepa_mpc.options import check_options, names_from_text, names_to_text, option

FINDINGS = ("OTHER_SHAPE", "FEW_PIXELS", "ONE_COLOUR", "NO_CONTRAST", "NO_COLOUR", "OTHER_COLOURS")

_ASPECT_SLACK = 0.05  # of the camera's width to height
_LEAST_SIDE = 64  # pixels; the models see 256, and half of what matters is gone below
_MOST_OF_ONE_COLOUR = 0.7  # of the pixels, and a quarter more than of the camera's
_LEAST_CONTRAST = 0.25  # of the camera's standard deviation of brightness
_LEAST_COLOUR = 0.25  # of the camera's mean saturation
_GREY = 0.02  # saturation of a camera without colours, noise included
_LEAST_SHARED = 0.2  # of the pixels that have a colour of the camera's
_COMPARED_SIDE = 128  # pixels
_LOOKED_AT_SIDE = 256  # pixels: more say nothing else, and take their time beside the control loop
_BRIGHTNESS = 110.0  # mean that both pictures are brought to: exposure may differ
_BINS = 16  # of each colour channel
_UNEVEN = 3  # bits of a channel that are left out where one colour is looked for


@dataclass(frozen=True, kw_only=True)
class PictureChecks:
    """Which findings about goal pictures are let pass.

    Raises:
        ValueError: a name that is no finding's.
    """

    ignore: frozenset[str] = option(
        frozenset(),
        f"Findings for which goal pictures are not refused, comma-separated, of {', '.join(FINDINGS)}; empty: none.",
        live=True,
        to_plain=names_to_text,
        from_plain=names_from_text,
    )

    def __post_init__(self) -> None:
        check_options(self, "goal_picture.")
        unknown = sorted(self.ignore - set(FINDINGS))
        if unknown:
            raise ValueError(f"goal_picture.ignore: {', '.join(unknown)} unknown; known are {', '.join(FINDINGS)}")

    def require(self, goal: np.ndarray, camera: np.ndarray, name: str) -> None:
        """Refuse a goal picture that the camera cannot have taken of what it shows now.

        Args:
            goal: uint8 RGB [H, W, 3].
            camera: its newest picture, uint8 RGB of any size.
            name: what the message calls the goal picture.

        Raises:
            ValueError: the message has the findings with their figures, and what to do.
        """
        found = {key: words for key, words in compare(goal, camera).items() if key not in self.ignore}
        if found:
            what = "; ".join(f"{key}: {words}" for key, words in found.items())
            raise ValueError(
                f"{name} does not look like a picture of this camera. {what}. Take one with this camera; or, if it is "
                f"meant, let it pass with the parameter goal_picture.ignore='{', '.join(found)}'"
            )


def compare(goal: np.ndarray, camera: np.ndarray) -> dict[str, str]:
    """What is odd about a goal picture beside the camera's, as names of FINDINGS with figures.

    Args:
        goal: uint8 RGB [H, W, 3].
        camera: likewise, of any size.
    """
    found = {}
    if abs(_aspect(goal) / _aspect(camera) - 1.0) > _ASPECT_SLACK:
        found["OTHER_SHAPE"] = f"it has {_size(goal)} pixels and the camera {_size(camera)}, so one is cut or squashed"
    if min(goal.shape[:2]) < min(_LEAST_SIDE, *camera.shape[:2]):
        found["FEW_PIXELS"] = f"it has {_size(goal)} pixels; {_LEAST_SIDE} a side are the least"
    goal, camera = _fewer_pixels(goal), _fewer_pixels(camera)
    single = _one_colour(goal), _one_colour(camera)
    if single[0] > max(_MOST_OF_ONE_COLOUR, 1.25 * single[1]):
        found["ONE_COLOUR"] = f"{100 * single[0]:.0f} % of it have one colour, of the camera's {100 * single[1]:.0f} %"
    contrasts = _contrast(goal), _contrast(camera)
    if contrasts[0] < _LEAST_CONTRAST * contrasts[1]:
        found["NO_CONTRAST"] = f"its brightness varies by {contrasts[0]:.1f} of 255, the camera's by {contrasts[1]:.1f}"
    colours = _saturation(goal), _saturation(camera)
    if colours[0] < _LEAST_COLOUR * colours[1] and colours[1] > _GREY:
        found["NO_COLOUR"] = f"its colours' saturation is {colours[0]:.3f}, the camera's {colours[1]:.3f}"
    shared = _shared_colours(goal, camera)
    if shared < _LEAST_SHARED:
        found["OTHER_COLOURS"] = f"{100 * shared:.0f} % of it have colours that the camera sees"
    return found


def _fewer_pixels(image: np.ndarray) -> np.ndarray:
    """The same picture with at most so many pixels a side as are looked at, every n-th of its own."""
    height, width = (min(side, _LOOKED_AT_SIDE) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST))


def _aspect(image: np.ndarray) -> float:
    return float(image.shape[1] / image.shape[0])


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _one_colour(image: np.ndarray) -> float:
    """Share of the pixels that have the commonest colour, as in plots and drawings."""
    bits = 8 - _UNEVEN
    red, green, blue = (image[..., channel].astype(np.int32) >> _UNEVEN for channel in range(3))
    keys = (red << (2 * bits)) | (green << bits) | blue
    return float(np.bincount(keys.ravel()).max() / keys.size)


def _contrast(image: np.ndarray) -> float:
    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std())


def _saturation(image: np.ndarray) -> float:
    """Mean difference of a pixel's largest and smallest channel, 0 for grey … 1."""
    red, green, blue = cv2.split(image)
    return float((np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)).mean()) / 255.0


def _shared_colours(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two histograms of colours, 0 … 1, as if both pictures were equally bright."""
    return float(np.minimum(_histogram(first), _histogram(second)).sum())


def _histogram(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image, (_COMPARED_SIDE, _COMPARED_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    bright = np.clip(small * (_BRIGHTNESS / max(float(small.mean()), 1.0)), 0.0, 255.0)
    counts = cv2.calcHist([bright], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    for axis in range(3):  # colours on either side of a bin's edge are nearly the same
        counts = _smooth(counts, axis)
    return np.asarray(counts / counts.sum())


def _smooth(counts: np.ndarray, axis: int) -> np.ndarray:
    """With half of each count moved to the bins beside it."""
    around = np.pad(counts, [(1, 1) if each == axis else (0, 0) for each in range(counts.ndim)], mode="edge")
    bins = np.arange(counts.shape[axis])
    return np.asarray(sum(share * around.take(bins + by, axis) for by, share in enumerate((0.25, 0.5, 0.25))))
