"""From scores to one name: what goes wrong, since when, in which step, and where in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vjepa_mpc.monitor.checks import CHECKS, SPANS, Scores
from vjepa_mpc.monitor.steps import Step, step_at
from vjepa_mpc.monitor.thresholds import Thresholds

IMAGE_BAD, CAMERA_MOVED = "IMAGE_BAD", "CAMERA_MOVED"
WRONG_ORDER, STEP_SKIPPED = "WRONG_ORDER", "STEP_SKIPPED"
TOO_FAST, TOO_SLOW, STUCK = "TOO_FAST", "TOO_SLOW", "STUCK"
UNKNOWN_STATE, OBJECT_LOST = "UNKNOWN_STATE", "OBJECT_LOST"
CLASSES = (
    *(CAMERA_MOVED, IMAGE_BAD, WRONG_ORDER, STEP_SKIPPED, TOO_FAST, TOO_SLOW, STUCK),
    *(OBJECT_LOST, UNKNOWN_STATE),
)
_PICTURE, _CAMERA, _ORDER = ("light", "sharpness", "frozen"), "camera", "order"
_STUCK_SHARE = 0.2  # of the usual pace
_SETTLES = 2.0  # seconds from the first alarm on in which the name may still change between kinds
_OVER_AFTER = 3.0  # seconds without any alarm end a deviation
_BOX = 2  # patches along a side of the marked box


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """What goes wrong.

    Attributes:
        name: of :data:`CLASSES`.
        first_name: the one it was given at once; it is settled for two seconds, order and pace for as long as it lasts.
        score: of the check that told it.
        threshold: that the score is above.
        step: in which it began.
        began: stamp in seconds of the picture that told it.
        seconds: it lasts so far.
        where: left, top, width and height in shares of the picture that the model sees; None where it is all of it.
    """

    name: str
    first_name: str
    score: float
    threshold: float
    step: str
    began: float
    seconds: float
    where: tuple[float, float, float, float] | None

    def __str__(self) -> str:
        return (
            f"{self.name} in {self.step}: {self.score:.3g} is above {self.threshold:.3g}"
            if self.threshold
            else f"{self.name} in {self.step}"
        )


class Namer:
    """Names the deviations of one live run.

    One deviation lasts until nothing has been wrong for some seconds; the alarms within it are taken for its
    consequences. A camera that moved and a bad picture explain everything else; leaving the order explains what is
    seen at the wrong place; otherwise the check that told first names it, and of two that told together the one that
    is further over its threshold.
    """

    def __init__(self, thresholds: Thresholds, steps: Sequence[Step]) -> None:
        self._thresholds, self._steps = thresholds, steps
        self._open: Deviation | None = None
        self._told: dict[str, tuple[float, float]] = {}
        self._last = math.nan
        self._step = 0

    @property
    def step(self) -> int:
        """The number of the present step."""
        return self._step

    def name(self, scores: Scores, stamp: float) -> tuple[Deviation | None, bool]:
        """The present deviation, and whether the order was left just now, so that following has to go on elsewhere."""
        excess = dict(zip(CHECKS, self._thresholds.excess(scores.values), strict=True))
        alarms = {check: over for check, over in excess.items() if over > 0.0}
        jumped = _ORDER in alarms and not {_CAMERA, *_PICTURE} & (set(alarms) | set(self._told))
        if alarms:
            self._last = stamp
        order = self._follow_order(scores, jumped)
        self._close_if_over(stamp)
        for check, over in alarms.items():
            told, most = self._told.get(check, (stamp, over))
            self._told[check] = (told, max(over, most) if stamp - told <= _SETTLES else most)
        if self._open is None and not alarms:
            return None, False
        self._update(scores, stamp, order)
        return self._open, jumped

    def finish(self, stamp: float) -> Deviation | None:
        """The deviation at the end of a run; a step that was never reached is one."""
        missing = list(range(self._step + 1, len(self._steps)))
        if self._open is not None or not missing:
            return self._open
        return Deviation(
            name=STEP_SKIPPED,
            first_name=STEP_SKIPPED,
            score=float(len(missing)),
            threshold=0.0,
            step=self._steps[missing[0]].name,
            began=stamp,
            seconds=0.0,
            where=None,
        )

    def _follow_order(self, scores: Scores, jumped: bool) -> str:
        """What a jump means: a step is left out, or comes after one that it belongs before."""
        now = step_at(self._steps, scores.place.elsewhere if jumped else scores.place.phase)
        if not jumped:
            self._step = max(self._step, now)
            return ""
        before, self._step = self._step, now
        return WRONG_ORDER if now <= before else STEP_SKIPPED

    def _close_if_over(self, stamp: float) -> None:
        if self._open is not None and stamp - self._last > _OVER_AFTER:
            self._open, self._told = None, {}

    def _update(self, scores: Scores, stamp: float, order: str) -> None:
        if self._open is None:
            check = self._deciding()
            name = order or self._class_of(check, scores)
            self._open = self._described(name, name, check, scores, stamp)
            return
        settled = stamp - self._open.began > _SETTLES
        check = self._deciding()
        name = self._open.name
        if order:
            name = WRONG_ORDER if WRONG_ORDER in (order, name) else order
        elif name == TOO_SLOW or not settled:
            name = self._renamed(check, scores)
        self._open = replace(self._open, name=name, seconds=stamp - self._open.began)

    def _renamed(self, check: str, scores: Scores) -> str:
        assert self._open is not None
        known = self._open.name
        if known in (WRONG_ORDER, STEP_SKIPPED, STUCK, OBJECT_LOST) and check not in (_CAMERA, *_PICTURE):
            return known
        return self._class_of(check, scores)

    def _deciding(self) -> str:
        """The check that names what was told so far."""
        picture = [(over, check) for check, (_, over) in self._told.items() if check in (_CAMERA, *_PICTURE)]
        if picture:
            return max(picture)[1]
        if _ORDER in self._told:
            return _ORDER
        first = min(told for told, _ in self._told.values())
        return max((over, check) for check, (told, over) in self._told.items() if told == first)[1]

    def _class_of(self, check: str, scores: Scores) -> str:
        if check in _PICTURE:
            return IMAGE_BAD
        if check == "slow":
            return STUCK if scores.progress < _STUCK_SHARE * SPANS[-1] else TOO_SLOW
        if check == "patches":
            return OBJECT_LOST if scores.emptied else UNKNOWN_STATE
        return {_CAMERA: CAMERA_MOVED, _ORDER: WRONG_ORDER, "fast": TOO_FAST, "unknown": UNKNOWN_STATE}[check]

    def _described(self, name: str, first: str, check: str, scores: Scores, stamp: float) -> Deviation:
        index = CHECKS.index(check)
        return Deviation(
            name=name,
            first_name=first,
            score=float(scores.values[index]),
            threshold=float(self._thresholds.values[index]),
            step=self._steps[self._step].name,
            began=stamp,
            seconds=0.0,
            where=_box(scores) if check == "patches" else None,
        )


def _box(scores: Scores) -> tuple[float, float, float, float]:
    side = math.isqrt(len(scores.odd))
    row, column = divmod(scores.patch, side)
    return column / side, row / side, _BOX / side, _BOX / side
