"""From planned poses to the stream of set-points that an arm's controller follows.

Arm controllers pass on what they get: one of them makes 90 % of a step in a millisecond. So planned steps of several
centimetres never go out as they are; this generator moves a set-point towards the newest planned pose with bounded
speed and acceleration, at 50–100 Hz.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.quaternion import from_rotation_vector, quaternion_multiply, rotation_between
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.options import check_options, option

# How the bound on linear acceleration is shared: following the target may use 1/√2 of it, and braking before a face of
# the box 1/√6 on each of the three axes. The worst case, a vector of the former with all axes braking, is the bound.
_FOLLOW_SHARE = 1.0 / math.sqrt(2.0)
_BOX_SHARE = 1.0 / math.sqrt(6.0)
# Part of `max_step` at which the set-point no longer moves away from the measured pose: the rest is for an arm that
# moves the other way meanwhile.
_LEASH_SHARE = 0.8

_REST_SPEED = 1e-4  # m/s or rad/s
_AT_TARGET = 1e-4  # m or rad
_LONGEST_FORECAST = 1000  # periods; a step takes some dozens


@dataclass(frozen=True, kw_only=True)
class SetpointSettings:
    """Timing of the set-point stream.

    Raises:
        ValueError: a value is out of its range, or the gap is not longer than the period.
    """

    period: float = option(0.02, "Time between set-points.", unit="s", low=0.005, high=0.1)
    max_gap: float = option(
        0.1,
        "Longest time between set-points; after a longer one the arm counts as stopped, and motion goes on from rest.",
        unit="s",
        low=0.01,
        high=1.0,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.period >= self.max_gap:
            raise ValueError(f"period={self.period} s, max_gap={self.max_gap} s: both positive, the gap the longer one")


class SetpointGenerator:
    """Moves a set-point towards a target, within a box and with bounded speed and acceleration.

    Always: each set-point lies in the box, and its velocity is such that braking keeps the next ones there; position
    and velocity go on continuously when the target changes; without a target the set-point brakes and holds. A
    set-point moves no further from the measured pose than `max_step`.

    Not thread-safe: it belongs to the set-point timer. Times are seconds of one steady clock.
    """

    def __init__(self, workspace: WorkspaceBox, limits: MotionLimits, settings: SetpointSettings | None = None) -> None:
        self.workspace = workspace
        self.limits = limits
        self.settings = settings or SetpointSettings()
        self._engaged = False
        self._releasing = False
        self._restarted = False
        self._target: CartesianPose | None = None
        self._expires_at = math.inf
        self._time = -math.inf
        self._position, self._quaternion = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
        self._velocity, self._rate = np.zeros(3), np.zeros(3)

    @property
    def engaged(self) -> bool:
        """Whether set-points come out and a target may be followed; False from `release` on."""
        return self._engaged and not self._releasing

    @property
    def moving(self) -> bool:
        """Whether the set-point is not at rest."""
        return float(np.linalg.norm(self._velocity)) > _REST_SPEED or float(np.linalg.norm(self._rate)) > _REST_SPEED

    @property
    def target(self) -> CartesianPose | None:
        """What is being followed; None while stopping or holding."""
        return self._target

    @property
    def at_target(self) -> bool:
        """Whether the set-point rests at the target."""
        if self._target is None or self.moving:
            return False
        turn = rotation_between(self._quaternion, self._target.quaternion)
        distance = float(np.linalg.norm(self._target.position - self._position))
        return distance < _AT_TARGET and float(np.linalg.norm(turn)) < _AT_TARGET

    @property
    def distance(self) -> float:
        """Metres from the set-point to the target; infinite without one."""
        return math.inf if self._target is None else float(np.linalg.norm(self._target.position - self._position))

    def arrival(self, distance: float) -> float:
        """When the set-point will be so near to the target, in metres, if nothing holds it up; steady seconds."""
        forecast = copy.copy(self)  # a step replaces the vectors and changes none
        for _ in range(_LONGEST_FORECAST):
            if forecast.distance <= distance:
                break
            forecast.advance(forecast._time + self.settings.period)
        return forecast._time

    def engage(self, measured: CartesianPose, now: float) -> bool:
        """Start at rest at the measured pose (its nearest point in the box).

        Returns False, changing nothing, while a released motion still brakes; try again at the next period.
        """
        if self.engaged:
            return True
        if self._engaged and self.moving:
            return False
        self._position, self._quaternion = self.workspace.clip(measured.position), measured.quaternion.copy()
        self._velocity, self._rate = np.zeros(3), np.zeros(3)
        self._engaged, self._releasing, self._restarted = True, False, True
        self._target, self._time = None, now
        return True

    def follow(self, target: CartesianPose, expires_at: float = math.inf) -> np.ndarray:
        """Move to a target (its nearest point in the box) instead of the one before; stop at `expires_at`.

        Returns by how much the box has changed the target's position, [3] metres.

        Raises:
            RuntimeError: not engaged.
        """
        if not self.engaged:
            raise RuntimeError("set-points are not engaged: call engage with the measured pose first")
        self._target = CartesianPose(self.workspace.clip(target.position), target.quaternion)
        self._expires_at = expires_at
        return self._target.position - target.position

    def stop(self) -> None:
        """Drop the target: brake and hold there, still sending set-points."""
        self._target = None

    def release(self) -> None:
        """Brake, and be silent once at rest."""
        self._target = None
        self._releasing = True

    def advance(self, now: float, measured: CartesianPose | None = None) -> Setpoint | None:
        """The set-point of this period; None when there is nothing to send or no time has passed.

        Args:
            now: time of this period.
            measured: newest trusted pose of the arm; None if there is none, which is for braking only.
        """
        elapsed = now - self._time
        if not self._engaged or elapsed <= 0.0:
            return None
        if self._releasing and not self.moving:
            self._engaged = False
            return None
        if self._target is not None and now >= self._expires_at:
            self.stop()
        if elapsed > self.settings.max_gap:
            self._velocity, self._rate = np.zeros(3), np.zeros(3)
            elapsed = self.settings.period
        self._time = now
        self._move(elapsed, measured)
        self._turn(elapsed, measured)
        restarted, self._restarted = self._restarted, False
        return Setpoint(
            position=self._position.copy(),
            quaternion=self._quaternion.copy(),
            linear_velocity=self._velocity.copy(),
            angular_velocity=self._rate.copy(),
            time=now,
            restarted=restarted,
        )

    def _move(self, dt: float, measured: CartesianPose | None) -> None:
        limits = self.limits
        acceleration = limits.linear_acceleration * _FOLLOW_SHARE
        wanted = np.zeros(3)
        if self._target is not None:
            wanted = _towards(self._target.position - self._position, dt, limits.linear_speed, acceleration)
        if measured is not None:
            lead = self._position - measured.position
            wanted = _leashed(wanted, lead, limits.max_step * _LEASH_SHARE, dt, acceleration)
        velocity = _change(self._velocity, wanted, acceleration * dt)
        self._velocity = self._within_box(velocity, dt)
        self._position = self.workspace.clip(self._position + self._velocity * dt)

    def _within_box(self, velocity: np.ndarray, dt: float) -> np.ndarray:
        """Slow each axis down so far that it can still stop before the box's faces."""
        acceleration = self.limits.linear_acceleration * _BOX_SHARE
        highest = [_approach_speed(gap, dt, acceleration) for gap in self.workspace.upper - self._position]
        lowest = [-_approach_speed(gap, dt, acceleration) for gap in self._position - self.workspace.lower]
        return np.clip(velocity, lowest, highest)

    def _turn(self, dt: float, measured: CartesianPose | None) -> None:
        limits = self.limits
        acceleration = limits.angular_acceleration
        wanted = np.zeros(3)
        if self._target is not None:
            turn = rotation_between(self._quaternion, self._target.quaternion)
            wanted = _towards(turn, dt, limits.angular_speed, acceleration)
        if measured is not None:
            lead = rotation_between(measured.quaternion, self._quaternion)
            wanted = _leashed(wanted, lead, limits.max_rotation_step * _LEASH_SHARE, dt, acceleration)
        self._rate = _change(self._rate, wanted, acceleration * dt)
        quaternion = quaternion_multiply(from_rotation_vector(self._rate * dt), self._quaternion)
        self._quaternion = quaternion / np.linalg.norm(quaternion)


def _approach_speed(distance: float, dt: float, acceleration: float) -> float:
    """The speed that, kept for dt and then braked with the acceleration, covers a distance (0 for negative ones)."""
    return acceleration * (math.sqrt(dt * dt + 2.0 * max(distance, 0.0) / acceleration) - dt)


def _towards(error: np.ndarray, dt: float, speed: float, acceleration: float) -> np.ndarray:
    """The velocity that closes an error as fast as speed and braking allow."""
    distance = float(np.linalg.norm(error))
    if distance == 0.0:
        return np.zeros(3)
    return error * (min(speed, _approach_speed(distance, dt, acceleration)) / distance)


def _leashed(velocity: np.ndarray, lead: np.ndarray, reach: float, dt: float, acceleration: float) -> np.ndarray:
    """Take from a velocity what would lead the set-point further than `reach` from the measured pose."""
    distance = float(np.linalg.norm(lead))
    if distance == 0.0:
        return velocity
    away = lead / distance
    excess = float(velocity @ away) - _approach_speed(reach - distance, dt, acceleration)
    return velocity - max(excess, 0.0) * away


def _change(velocity: np.ndarray, wanted: np.ndarray, most: float) -> np.ndarray:
    """The velocity nearest to the wanted one that differs by no more than `most`."""
    change = wanted - velocity
    size = float(np.linalg.norm(change))
    return wanted if size <= most else velocity + change * (most / size)
