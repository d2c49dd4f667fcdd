"""What must hold for every set-point, judged from what came over the wire alone.

Times are header stamps, which planner and simulator set from one clock: how busy the machine that records is has no
say in the verdict.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped
from vjepa_mpc.msg import PlanStatus

from vjepa_mpc.geometry.quaternion import rotation_between
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of, seconds

ENGAGED = (PlanStatus.PLANNING, PlanStatus.EXECUTING)
WINDOW = 8  # set-points over which speeds are taken: evens out what passes between reading one clock and the other


@dataclass(frozen=True, kw_only=True, eq=False)
class Stamped:
    """A set-point or a measured pose: stamp and time of reception in seconds of the system's clock."""

    stamp: float
    received: float
    frame_id: str
    position: np.ndarray
    quaternion: np.ndarray

    @classmethod
    def of(cls, message: PoseStamped, received: float) -> Stamped:
        """From a message."""
        return cls(
            stamp=seconds(message.header.stamp),
            received=received,
            frame_id=message.header.frame_id,
            position=position_of(message),
            quaternion=quaternion_of(message),
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the planner was told to keep to; names and units as its parameters."""

    frame_id: str
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    linear_speed: float
    angular_speed: float
    linear_acceleration: float
    angular_acceleration: float
    max_step: float
    max_rotation_step: float
    pose_timeout: float
    setpoint_period: float
    setpoint_max_gap: float

    @property
    def braking_time(self) -> float:
        """Seconds from full speed to rest (generators may use 1/√2 of the acceleration), and a few periods."""
        linear = self.linear_speed / self.linear_acceleration * np.sqrt(2.0)
        angular = self.angular_speed / self.angular_acceleration * np.sqrt(2.0)
        return float(max(linear, angular)) + self.setpoint_max_gap + 2 * self.setpoint_period


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Set-points, measured poses and statuses of the same time, each oldest first."""

    setpoints: Sequence[Stamped]
    poses: Sequence[Stamped]
    statuses: Sequence[PlanStatus]

    def until(self, stamp: float) -> Recording:
        """What came before a time, set-points and poses."""
        return Recording(
            setpoints=[entry for entry in self.setpoints if entry.stamp < stamp],
            poses=[entry for entry in self.poses if entry.stamp < stamp],
            statuses=self.statuses,
        )

    def violations(self, limits: Limits, *, killed: bool = False, timed: bool = True) -> list[str]:
        """Everything that is wrong, in words; empty when nothing is.

        Args:
            limits: what holds.
            killed: the planner was killed, so that its set-points may end in full motion.
            timed: False when the stamps come from a clock too coarse to tell speeds.
        """
        found = [problem for entry in self.setpoints for problem in self._single(entry, limits)]
        found += self._permission(limits)
        if timed:
            for piece in self._pieces(limits):
                found += _speeds(piece, limits)
            found += [] if killed else self._ends(limits)
        return found

    def _single(self, entry: Stamped, limits: Limits) -> list[str]:
        if not np.isfinite([*entry.position, *entry.quaternion]).all():
            return [f"not finite: {entry.position} {entry.quaternion}"]
        found = []
        if abs(np.linalg.norm(entry.quaternion) - 1.0) > 1e-6:
            found.append(f"quaternion {entry.quaternion} is not of unit length")
        if entry.frame_id != limits.frame_id:
            found.append(f"frame_id '{entry.frame_id}'")
        if (entry.position < np.array(limits.lower) - 1e-9).any():
            found.append(f"{entry.position} is below the workspace box")
        if (entry.position > np.array(limits.upper) + 1e-9).any():
            found.append(f"{entry.position} is above the workspace box")
        return found + self._lead(entry, limits)

    def _lead(self, entry: Stamped, limits: Limits) -> list[str]:
        """Distance from the pose that was measured last when the set-point was made."""
        index = bisect.bisect_right(self.poses, entry.stamp, key=lambda pose: pose.stamp) - 1
        if index < 0 or entry.stamp - self.poses[index].stamp > limits.pose_timeout:
            return []  # nothing was measured: braking is all that is allowed then, which `_permission` sees to
        measured = self.poses[index]
        distance = float(np.linalg.norm(entry.position - measured.position))
        turn = float(np.linalg.norm(rotation_between(measured.quaternion, entry.quaternion)))
        found = []
        if distance > limits.max_step:
            found.append(f"{distance:.3f} m from the measured pose")
        if turn > limits.max_rotation_step:
            found.append(f"turned by {turn:.3f} rad from the measured pose")
        return found

    def _permission(self, limits: Limits) -> list[str]:
        """Set-points only while planning or executing, and so many after that as braking takes.

        They are counted, not timed: a planner that stands still makes none. As many may come before the first status
        that was heard, because a planner's set-points may be discovered before its statuses.
        """
        stamps = [seconds(status.header.stamp) for status in self.statuses]
        most = math.ceil(limits.braking_time / limits.setpoint_period)
        found, left, unheard = [], 0, most
        for entry in self.setpoints:
            index = bisect.bisect_right(stamps, entry.stamp) - 1
            if index >= 0 and self.statuses[index].state in ENGAGED:
                left = most
            elif left:
                left -= 1
            elif index < 0 and unheard:
                unheard -= 1
            elif index < 0:
                found.append(f"a set-point at {entry.stamp:.3f}, before the planner said that it moves")
            else:
                found.append(f"a set-point {entry.stamp - stamps[index]:.3f} s after {self.statuses[index].reason}")
        return found

    def periods(self) -> np.ndarray:
        """Intervals in seconds between the set-points that the planner had to send one after the other.

        It does so from when it says that it plans or executes until it says something else.
        """
        stamps = np.array([entry.stamp for entry in self.setpoints])
        found = [np.empty(0)]
        since: float | None = None
        for status in self.statuses:
            at = seconds(status.header.stamp)
            if status.state in ENGAGED:
                since = at if since is None else since
            elif since is not None:
                found.append(np.diff(stamps[(stamps >= since) & (stamps <= at)]))
                since = None
        return np.concatenate(found)

    def _pieces(self, limits: Limits) -> list[list[Stamped]]:
        """Set-points without gaps; after a gap motion starts from rest."""
        pieces: list[list[Stamped]] = []
        for entry in self.setpoints:
            if pieces and 0.0 < entry.stamp - pieces[-1][-1].stamp <= limits.setpoint_max_gap:
                pieces[-1].append(entry)
            else:
                pieces.append([entry])
        return pieces

    def _ends(self, limits: Limits) -> list[str]:
        """Set-points that cease must have come to rest, unless it was the machine that paused."""
        found = []
        disengaged = [seconds(s.header.stamp) for s in self.statuses if s.state not in ENGAGED]
        for piece in self._pieces(limits):
            start, end = piece[-1].stamp - limits.braking_time, piece[-1].stamp + limits.setpoint_max_gap
            if len(piece) < 2 or not any(start < stamp < end for stamp in disengaged):
                continue
            dt = piece[-1].stamp - piece[-2].stamp
            speed = float(np.linalg.norm(piece[-1].position - piece[-2].position)) / dt
            if speed > 2.0 * limits.linear_acceleration * limits.setpoint_period:
                found.append(f"set-points ceased at {speed:.3f} m/s")
        return found


def _speeds(piece: Sequence[Stamped], limits: Limits) -> list[str]:
    """Speeds and accelerations of an uninterrupted piece, linear and angular.

    A stamp is the moment that its set-point was made for, on the messages' clock. The steady clock that motion is timed
    by is read next to it: at once, or a lot later on a busy machine, but not before the set-point ahead was sent. So a
    way between set-points i and j may have taken the time from the stamp before i to that of j, and no longer.
    """
    if len(piece) <= WINDOW + 1:
        return []
    stamps = np.array([entry.stamp for entry in piece])
    longest = stamps[WINDOW + 1 :] - stamps[: -WINDOW - 1]
    found = []
    for way_between, unit, speed_limit, acceleration_limit in (
        (lambda a, b: b.position - a.position, "m/s", limits.linear_speed, limits.linear_acceleration),
        (
            lambda a, b: rotation_between(a.quaternion, b.quaternion),
            "rad/s",
            limits.angular_speed,
            limits.angular_acceleration,
        ),
    ):
        ways = np.array([way_between(a, b) for a, b in zip(piece[1:], piece[WINDOW + 1 :], strict=False)])
        speed = float((np.linalg.norm(ways, axis=1) / longest).max())
        if speed > 1.01 * speed_limit:
            found.append(f"speed {speed:.3f} {unit}")
        steps = np.array([way_between(a, b) for a, b in itertools.pairwise(piece)])
        acceleration = _acceleration(steps, np.diff(stamps), limits.setpoint_period, speed_limit)
        if acceleration > 1.1 * acceleration_limit:
            found.append(f"acceleration {acceleration:.2f} {unit}²")
    return found


def _acceleration(steps: np.ndarray, dt: np.ndarray, period: float, speed_limit: float) -> float:
    """The largest one between steps [n, 3] that took dt [n], less what the stamps' irregularity may feign.

    Judged where set-points follow each other regularly, which is nearly everywhere unless the machine is overloaded.
    """
    irregular = np.maximum(np.abs(dt[1:] - period), np.abs(dt[:-1] - period))
    velocity = steps / dt[:, None]
    change = np.linalg.norm(velocity[1:] - velocity[:-1], axis=1) - 2.0 * speed_limit * irregular / period
    return float((change / dt[:-1])[irregular < 0.1 * period].max(initial=0.0))
