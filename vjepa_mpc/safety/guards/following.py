"""Does the arm follow the set-points, and in their direction?

Two things are told from set-points and measured positions. An arm that stays where it is while the set-points lead
has nobody who moves it: its controller is not active, listens elsewhere, or obeys somebody else. One that moves, but
elsewhere than it is led, is measured in another frame than it is commanded in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import Guard, GuardOptions
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason

# Steps that may end without the arm having come, and for how many timeouts; an arm that has followed before may be
# blocked by what it touches, and the next plan may lead it away.
_STEPS, _STEPS_BLOCKED = 3, 6
_TIMEOUTS_BLOCKED = 5.0
_LONGEST_PERIOD = 0.1  # seconds; in a longer one it is this process that stood still
_PERIODS = 5  # that the arm must be elsewhere, one after the other: a single wrong pose is a jump
_SAME_COURSE = 0.5  # of its way that an arm may be beside the set-points' and has yet followed them (30°)
_OTHER_DIRECTION = 0.01**2  # m²: what the steps followed must span beside the direction that they have in common


class FollowingGuard(Guard):
    """Compares the measured positions with the set-points, while the arm is engaged.

    The frame is suspected only until the arm has followed in two directions that are not parallel: frames do not change
    under way, and contacts later push an arm off its course that is none the less in the right frame.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options(GuardOptions):
        """When an arm does not follow, and when it goes elsewhere."""

        following_timeout: float = option(
            2.0,
            "The arm does not follow when the set-points have led it for this long and it has not come. An arm that "
            "has followed before, and may be blocked, is given five times as long.",
            unit="s",
            low=0.1,
            high=3600.0,
        )
        following_distance: float = option(
            0.02,
            "How far the set-points must lead before the arm has to come; half of that counts as having moved.",
            unit="m",
            low=0.001,
            high=0.5,
        )
        following_deviation: float = option(
            0.03,
            "How far the arm may get from the way of the first set-points before its pose is suspected to be in "
            "another frame.",
            unit="m",
            low=0.001,
            high=1.0,
        )

    reasons = (Reason.ARM_NOT_FOLLOWING, Reason.FRAME_SUSPECTED)

    def __init__(self, options: Options) -> None:
        self._options = options
        self._course = _Course(options.following_deviation)
        self.restart()

    def restart(self) -> None:
        """The arm is led anew; what it did before tells nothing. That its frame is right stays known."""
        self._stay = _Stay(self._options.following_timeout, self._options.following_distance)
        self._course.restart()

    def check(self, setpoint: Setpoint, arm: np.ndarray, *, step: int, executing: bool) -> Violation | None:
        """Compare the set-point that was just sent with where the arm is.

        Args:
            setpoint: sent.
            arm: [3] measured position, metres.
            step: number of the newest step that is or was carried out.
            executing: whether it still is.
        """
        return self._course.check(setpoint, arm, step) or self._stay.check(setpoint, arm, step, executing)


class _Stay:
    """How long, and over how many steps, the arm has stayed where it is though it was led away.

    Set-points that begin anew at the measured pose, as velocities do after each step, owe the lead they had before.
    """

    def __init__(self, timeout: float, distance: float) -> None:
        self._timeout, self._distance = timeout, distance
        self._last: Setpoint | None = None
        self._lead: np.ndarray = np.zeros(3)
        self._owed: np.ndarray = np.zeros(3)  # lead from before the set-points began anew
        self._start = np.zeros(3)
        self._followed = False
        self._step = 0
        self._count_from(self._start)

    def _count_from(self, arm: np.ndarray) -> None:
        self._origin, self._waited, self._steps = arm, 0.0, 0

    def check(self, setpoint: Setpoint, arm: np.ndarray, step: int, executing: bool) -> Violation | None:
        last, self._last = self._last, setpoint
        if last is None:
            self._start, self._step, last = arm, step, setpoint
            self._count_from(arm)
        elif setpoint.restarted:
            self._owed = self._owed + self._lead
        self._lead = setpoint.position - arm
        self._followed = self._followed or self._moved(arm, self._start)
        if self._moved(arm, self._origin):
            self._owed = np.zeros(3)
            self._count_from(arm)
        lead = float(np.linalg.norm(self._owed + self._lead))
        if lead < self._distance:
            self._count_from(arm)
        else:
            self._wait(setpoint.time - last.time, step, executing)
        self._step = step
        return self._judge(lead)

    def _moved(self, arm: np.ndarray, origin: np.ndarray) -> bool:
        return float(np.linalg.norm(arm - origin)) >= 0.5 * self._distance

    def _wait(self, elapsed: float, step: int, executing: bool) -> None:
        self._steps += step != self._step
        standing = not self._followed and float(np.linalg.norm(self._lead)) >= self._distance
        if executing or standing:
            self._waited += min(elapsed, _LONGEST_PERIOD)

    def _judge(self, lead: float) -> Violation | None:
        most, timeouts = (_STEPS_BLOCKED, _TIMEOUTS_BLOCKED) if self._followed else (_STEPS, 1.0)
        if self._waited < timeouts * self._timeout and self._steps < most:
            return None
        how = f"over {self._steps} steps" if self._steps else f"for {self._waited:.1f} s"
        words = f"the set-points have led by up to {100 * lead:.1f} cm {how}, and the arm has not come"
        blocked = "; it had followed before, so something may be in its way" if self._followed else ""
        return Violation(Reason.ARM_NOT_FOLLOWING, words + blocked)


class _Course:
    """Whether the arm goes where the set-points lead, from the beginning of each step to its end."""

    def __init__(self, deviation: float) -> None:
        self._deviation = deviation
        self._trusted = False
        self._followed: np.ndarray = np.zeros((3, 3))  # sum of the outer products of the ways that were followed
        self.restart()

    def restart(self) -> None:
        """Begin at the next set-point."""
        self._step: int | None = None
        self._begin: np.ndarray = np.zeros(3)  # of the set-points, and below of the arm
        self._origin: np.ndarray = np.zeros(3)
        self._told, self._went = self._begin, self._origin
        self._away, self._beside = 0.0, 0

    def check(self, setpoint: Setpoint, arm: np.ndarray, step: int) -> Violation | None:
        if self._trusted:
            return None
        if step != self._step or setpoint.restarted:
            self._trust()
            self._step, self._begin, self._origin = step, setpoint.position, arm
        self._told, self._went = setpoint.position - self._begin, arm - self._origin
        # An arm that lags, or stands a little beside its set-point, has a part of the way before it from the start.
        ahead = setpoint.position - self._origin
        self._away = min(_distance_from_way(self._went, way) for way in (self._told, ahead))
        self._beside = self._beside + 1 if self._away >= self._deviation else 0
        return self._suspicion() if self._beside >= _PERIODS else None

    def _trust(self) -> None:
        """Take note of a step that was followed."""
        went, told = float(np.linalg.norm(self._went)), float(np.linalg.norm(self._told))
        if min(went, told) > 0.0 and self._away < _SAME_COURSE * went:
            self._followed += np.outer(self._told, self._told)
            self._trusted = bool(np.linalg.eigvalsh(self._followed)[1] >= _OTHER_DIRECTION)

    def _suspicion(self) -> Violation:
        told, went = (np.round(100 * way, 1).tolist() for way in (self._told, self._went))
        angle = _angle(self._told, self._went)
        turned = "" if math.isnan(angle) else f", {angle:.0f}° from it"
        words = f"the first set-points went {told} cm (x, y, z) and the measured pose {went} cm{turned}"
        return Violation(Reason.FRAME_SUSPECTED, words)


def _distance_from_way(point: np.ndarray, way: np.ndarray) -> float:
    """Metres from a point to the straight way from the origin to the end of ``way``."""
    length = float(way @ way)
    share = min(max(float(point @ way) / length, 0.0), 1.0) if length > 0.0 else 0.0
    return float(np.linalg.norm(point - share * way))


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between two directions; NaN if one of them is none."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return math.degrees(math.acos(min(max(float(one @ other) / lengths, -1.0), 1.0))) if lengths > 0.0 else math.nan
