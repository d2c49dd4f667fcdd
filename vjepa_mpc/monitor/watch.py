"""Watching a live run: pictures in, progress and deviations out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.checks import Checker, Scores
from vjepa_mpc.monitor.fit import Fitted
from vjepa_mpc.monitor.naming import Deviation, Namer
from vjepa_mpc.monitor.sight import Sights, same_encoder

_TOO_SOON = 0.6  # periods after the last picture: one between two that are looked at
_GAP = 3.0  # periods without a picture


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What is known after one picture.

    Attributes:
        progress: share of the course that is done, 0 to 1.
        step: the present one's name.
        next_step: the next one's; "" in the last.
        deviation: what goes wrong, or None.
        scores: of the checks.
        note: about the pictures, in words; "" when there is nothing to say.
    """

    progress: float
    step: str
    next_step: str
    deviation: Deviation | None
    scores: Scores
    note: str


class Watcher:
    """Follows one run after another with a fitted monitor.

    Args:
        fitted: the monitor.
        encoder: fingerprint of the one whose latents it will be shown.

    Raises:
        ValueError: the monitor knows another encoder's latents.
    """

    def __init__(self, fitted: Fitted, encoder: Sequence[float]) -> None:
        if not same_encoder(fitted.encoder, encoder):
            raise ValueError(
                "the monitor was fitted with another encoder, or another crop of the pictures: watch with the model "
                "and crop that it was fitted with, or fit it again"
            )
        self._fitted = fitted
        self.begin()

    def begin(self) -> None:
        """Another run begins."""
        self._checker = Checker(self._fitted.learned)
        self._namer = Namer(self._fitted.thresholds, self._fitted.steps)
        self._stamp: float | None = None
        self._slow_pictures = 0

    def wants(self, stamp: float) -> bool:
        """Whether a picture of this time is needed; more pictures than it was fitted with are not looked at."""
        return self._stamp is None or stamp - self._stamp >= _TOO_SOON * self._fitted.learned.period

    def see(self, sights: Sights) -> Reading:
        """Take in one picture.

        Raises:
            ValueError: it is older than the last one, or lacks the states that the monitor was fitted with.
        """
        stamp, period = float(sights.stamps[0]), self._fitted.learned.period
        if self._fitted.learned.states and sights.states is None:
            raise ValueError("the monitor was fitted with states, and there are none: give them, or fit without")
        elapsed = period if self._stamp is None else stamp - self._stamp
        if elapsed <= 0:
            raise ValueError(f"a picture of {stamp:.3f} s after one of {self._stamp:.3f} s: stamps have to ascend")
        self._stamp = stamp
        periods = max(1, round(elapsed / period))
        scores = self._checker.score(sights, periods)
        deviation, jumped = self._namer.name(scores, stamp)
        if jumped:
            self._checker.follower.jump()
        steps, number = self._fitted.steps, self._namer.step
        return Reading(
            progress=scores.place.phase / max(1, len(self._fitted.learned.course) - 1),
            step=steps[number].name,
            next_step=steps[number + 1].name if number + 1 < len(steps) else "",
            deviation=deviation,
            scores=scores,
            note=self._note(elapsed, period),
        )

    def finish(self) -> Deviation | None:
        """What is wrong when a run has ended, such as a step that never came."""
        return self._namer.finish(self._stamp or 0.0)

    def _note(self, elapsed: float, period: float) -> str:
        self._slow_pictures = self._slow_pictures + 1 if elapsed > 1.5 * period else 0
        if elapsed > _GAP * period:
            return f"no picture for {elapsed:.2f} s: what happened in between was not seen"
        if self._slow_pictures >= 5:
            return (
                f"a picture every {elapsed:.2f} s, but the monitor was fitted with one every {period:.2f} s: send more"
            )
        return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A whole run.

    Attributes:
        deviations: in their order, each as it was called at its end.
        largest: [K] largest score of each check.
        readings: one a picture.
    """

    deviations: list[Deviation]
    largest: np.ndarray
    readings: list[Reading]


def watch_run(fitted: Fitted, run: Sights, encoder: Sequence[float]) -> Watched:
    """Watch a recorded run as if it were live.

    Raises:
        ValueError: as for :class:`Watcher`.
    """
    watcher = Watcher(fitted, encoder)
    readings = [watcher.see(run.at(index)) for index in range(len(run)) if watcher.wants(float(run.stamps[index]))]
    told = [*(reading.deviation for reading in readings), watcher.finish()]
    last_of = {each.began: each for each in told if each is not None}
    return Watched(
        deviations=list(last_of.values()),
        largest=np.max([reading.scores.values for reading in readings], axis=0),
        readings=readings,
    )
