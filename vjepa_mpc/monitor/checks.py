"""The checks of one picture of a live run: what each of them scores."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.appearance import Channel, top_of
from vjepa_mpc.monitor.camera import Background
from vjepa_mpc.monitor.course import Course
from vjepa_mpc.monitor.features import Projection, colours
from vjepa_mpc.monitor.follow import Follower, Place
from vjepa_mpc.monitor.sight import Sights

# Each check, and the least score that is an alarm, however little it varies in normal runs: logarithms of brightness,
# sharpness and change; pixels of the small picture; nats a picture; standard deviations.
LEAST = {
    **{"light": 0.05, "sharpness": 0.2, "frozen": 1.0, "camera": 0.4},
    **{"order": 0.5, "fast": 2.0, "slow": 2.0, "unknown": 2.0, "patches": 3.0},
}
CHECKS = tuple(LEAST)
SPANS = (6, 9, 12)  # periods that pace looks back
_HELD = 3  # pictures for which a patch has to look odd
_ODD = 2.0  # standard deviations: a patch that is looked at more closely
_CLOSER = 0.15  # of closedness: farther closed than in any normal run
_MUCH = 0.3  # of the patches
_DARKEST = 8.0  # grey levels below which brightness is not compared


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """All that was learned from normal runs but the thresholds.

    Attributes:
        projection, course, latents, colours, background: see there.
        brightness: float32 [P, N] mean brightness of each patch in each phase.
        sharpness: float32 [P, N] mean one of each patch in each phase.
        grip: float32 [P] largest closedness of the gripper around each phase; 1 without states.
        change: difference between two pictures that is seldom fallen short of, in grey levels.
        pace: [P, 2, 3] usual progress in each of the `SPANS`, and its standard deviation.
        period: seconds between two pictures.
        states: whether states are used.
    """

    projection: Projection
    course: Course
    latents: Channel
    colours: Channel
    background: Background
    brightness: np.ndarray
    sharpness: np.ndarray
    grip: np.ndarray
    change: float
    pace: np.ndarray
    period: float
    states: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What the checks say of one picture.

    Attributes:
        values: [K] in the order of :data:`CHECKS`; higher is worse.
        place: where the run is.
        progress: phases gone in the longest of the `SPANS`; NaN as long as there are not so many.
        odd: float32 [N] how odd each patch looks.
        emptied: whether something that should be seen is not.
        patch: the patch at the upper left of the four that look oddest.
    """

    values: np.ndarray
    place: Place
    progress: float
    odd: np.ndarray
    emptied: bool
    patch: int


class Checker:
    """Scores the pictures of one live run, one after the other."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self.follower = Follower(learned.course)
        self._odd: deque[np.ndarray] = deque(maxlen=_HELD)
        self._emptied: deque[bool] = deque(maxlen=_HELD)
        self._let_go: deque[bool] = deque(maxlen=_HELD)
        self._picture: deque[np.ndarray] = deque(maxlen=2)

    def score(self, sights: Sights, periods: int = 1) -> Scores:
        """Score one picture, so many periods after the last one."""
        learned = self._learned
        features = learned.projection.pictures(sights, states=learned.states)[0]
        place = self.follower.update(features, periods)
        colour = colours(sights)[0]
        self._look_at_patches(sights, colour, place.elsewhere)
        held = np.min(self._odd, axis=0)
        top, patch = top_of(held, sights.side) if len(self._odd) == _HELD else (0.0, 0)
        self._picture.append(
            np.array(
                [
                    _light(colour, learned.brightness[place.elsewhere]),
                    _blur(sights.sharpness[0], learned.sharpness[place.elsewhere]),
                    _frozen(float(sights.change[0]), learned.change),
                    learned.background.displacement(sights.small[0]),
                ]
            )
        )
        picture = np.min(self._picture, axis=0) if len(self._picture) == 2 else np.zeros(4)
        fast, slow = self._pace(place.phase)
        return Scores(
            values=np.array([*picture, place.gain, fast, slow, place.distance, top]),
            place=place,
            progress=self._gone(SPANS[-1]),
            odd=held,
            emptied=self._missing(),
            patch=patch,
        )

    def _look_at_patches(self, sights: Sights, colour: np.ndarray, phase: int) -> None:
        learned = self._learned
        latents = learned.latents.oddness(learned.projection.patches(sights)[0], phase)
        odd = np.maximum(latents, learned.colours.oddness(colour, phase))
        self._odd.append(odd)
        self._emptied.append(bool((learned.colours.emptied(colour, phase) & (odd > _ODD)).any()))
        self._let_go.append(sights.states is not None and float(sights.states[0, 6]) > learned.grip[phase] + _CLOSER)

    def _missing(self) -> bool:
        """Whether something that should be seen is not, for more than a moment, or the hand has closed on nothing."""
        return sum(self._emptied) > 1 or any(self._let_go)

    def _gone(self, periods: int) -> float:
        phases = self.follower.phases
        return float(phases[-1] - phases[-1 - periods]) if len(phases) > periods else math.nan

    def _pace(self, phase: int) -> tuple[float, float]:
        """How much too fast and too slow, in standard deviations, in the span that shows it best."""
        usual, spread = self._learned.pace[phase]
        odd = (np.array([self._gone(span) for span in SPANS]) - usual) / spread
        told = odd[np.isfinite(odd)]
        return (float(told.max()), float(-told.min())) if len(told) else (0.0, 0.0)


def _light(colour: np.ndarray, usual: np.ndarray) -> float:
    """How much brighter or darker much of the picture is: colours [N, 12], usual brightness [N]; natural logarithm.

    Not most of it: a lamp that goes out changes the table, and neither a window nor a screen.
    """
    now = colour.mean(axis=-1)
    return float(np.quantile(np.abs(np.log((now + _DARKEST) / (usual + _DARKEST))), 1.0 - _MUCH))


def _blur(sharpness: np.ndarray, usual: np.ndarray) -> float:
    """How much sharper or less sharp most patches [N] are; natural logarithm."""
    return float(abs(np.median(np.log((sharpness + 0.1) / (usual + 0.1)))))


def _frozen(change: float, usual: float) -> float:
    """Natural logarithm of how many times less two pictures differ than usual."""
    return 0.0 if math.isnan(change) else max(0.0, math.log((usual + 0.02) / (change + 0.02)))
