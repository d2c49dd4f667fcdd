"""Guards: each watches one input and says what is wrong with it. No clocks inside; times are passed in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.cartesian import UNIT_TOLERANCE, CartesianPose
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import GripperSample, ImageSample, Now, PoseSample
from vjepa_mpc.safety.sanity import check_state, guess_quaternion

_BACKWARD_TOLERANCE = 0.05  # seconds that the ROS clock may be set back without a hold, as time services do


@dataclass(frozen=True)
class Violation:
    """Something that speaks against moving: the reason, and words with the values."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class _AgeReasons:
    stale: Reason
    silent: Reason
    no_stamp: Reason
    future: Reason


_IMAGE_AGE = _AgeReasons(Reason.IMAGE_STALE, Reason.IMAGE_SILENT, Reason.IMAGE_STAMP_ZERO, Reason.IMAGE_FROM_FUTURE)
_POSE_AGE = _AgeReasons(Reason.POSE_STALE, Reason.POSE_SILENT, Reason.POSE_STAMP_ZERO, Reason.POSE_FROM_FUTURE)
_GRIPPER_AGE = _AgeReasons(
    Reason.GRIPPER_STALE, Reason.GRIPPER_SILENT, Reason.GRIPPER_STAMP_ZERO, Reason.GRIPPER_FROM_FUTURE
)


def _check_age(
    sample: ImageSample | PoseSample | GripperSample,
    now: Now,
    timeout: float,
    future_tolerance: float,
    reasons: _AgeReasons,
) -> Violation | None:
    """By reception and by stamp: either alone is defeated by a wrong clock or by old messages that arrive late."""
    waited = now.steady - sample.received
    if waited > timeout:
        return Violation(reasons.silent, f"the last came {waited:.2f} s ago (limit {timeout:g} s)")
    if sample.stamp == 0.0:
        return Violation(reasons.no_stamp, "header.stamp is 0")
    age = now.ros - sample.stamp
    if age > timeout:
        return Violation(reasons.stale, f"its stamp is {age:.2f} s old (limit {timeout:g} s)")
    if age < -future_tolerance:
        return Violation(reasons.future, f"its stamp is {-age:.2f} s ahead (limit {future_tolerance:g} s)")
    return None


class ClockGuard:
    """Notices when the ROS clock goes back, which makes old stamps look new."""

    def __init__(self) -> None:
        self._last: float | None = None

    def check(self, now: Now) -> Violation | None:
        """Look at the clock; says so once for each time that it went back."""
        previous, self._last = self._last, now.ros
        if previous is None or now.ros >= previous - _BACKWARD_TOLERANCE:
            return None
        return Violation(Reason.CLOCK_JUMPED, f"by {previous - now.ros:.2f} s")


class ImageGuard:
    """Watches the camera: age, and whether the picture changes when the arm moves.

    That a still scene gives the same picture again and again is fine (a simulator renders it byte by byte the same);
    that a moving arm does is not.
    """

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self.newest: ImageSample | None = None
        self._seen_at: np.ndarray | None = None
        self._moved_since: float | None = None
        self._frozen_for = 0.0

    def observe(self, sample: ImageSample, position: np.ndarray | None) -> None:
        """Take note of an image, and of where the arm was measured last (None: unknown)."""
        changed = self.newest is None or sample.digest != self.newest.digest
        self.newest = sample
        if changed:
            self.forget_motion()
        if self._seen_at is None:
            self._seen_at = position
        elif position is not None and np.linalg.norm(position - self._seen_at) >= self._config.frozen_image_motion:
            if self._moved_since is None:
                self._moved_since = sample.received
            self._frozen_for = sample.received - self._moved_since

    def forget_motion(self) -> None:
        """Compare with where the arm is next."""
        self._seen_at, self._moved_since, self._frozen_for = None, None, 0.0

    def check(self, now: Now) -> Violation | None:
        """What is wrong with the newest image; call only after one was observed."""
        assert self.newest is not None
        config = self._config
        late = _check_age(self.newest, now, config.image_timeout, config.future_tolerance, _IMAGE_AGE)
        if late is not None:
            return late
        if self._frozen_for >= config.frozen_image_time:
            return Violation(
                Reason.IMAGE_FROZEN,
                f"identical for {self._frozen_for:.2f} s of new images after the arm moved more than "
                f"{config.frozen_image_motion * 1000:g} mm",
            )
        return None


class PoseGuard:
    """Watches the measured pose: content, frame, age, jumps, plausibility, workspace."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self.newest: PoseSample | None = None
        self._pose: CartesianPose | None = None
        self._reference: tuple[float, CartesianPose] | None = None
        self._jump: str | None = None
        self._plausible = False

    @property
    def pose(self) -> CartesianPose | None:
        """The newest pose, if it is well-formed and in the right frame, whatever its age."""
        return self._pose

    def observe(self, sample: PoseSample) -> None:
        """Take note of a pose; the same sample again changes nothing."""
        if sample is self.newest:
            return
        self.newest = sample
        self._pose = None
        if self._malformed() is not None:
            return
        self._pose = CartesianPose(sample.position, sample.quaternion)
        if self._reference is not None and self._jump is None:
            self._jump = self._jump_from(*self._reference)
        self._reference = (sample.received, self._pose)

    def take_jump(self) -> str | None:
        """The first jump since the last call, in words; None if there was none."""
        jump, self._jump = self._jump, None
        return jump

    def check(self, now: Now, closedness: float) -> Violation | None:
        """What is wrong with the newest pose; call only after one was observed."""
        assert self.newest is not None
        config = self._config
        malformed = self._malformed()
        if malformed is not None:
            return malformed
        late = _check_age(self.newest, now, config.pose_timeout, config.future_tolerance, _POSE_AGE)
        if late is not None:
            return late
        return self._implausible(closedness) or self._outside()

    def _malformed(self) -> Violation | None:
        assert self.newest is not None
        sample, expected = self.newest, self._config.frame_id
        if sample.frame_id != expected:
            return Violation(Reason.POSE_WRONG_FRAME, f"frame_id is '{sample.frame_id}', expected '{expected}'")
        if not (np.isfinite(sample.position).all() and np.isfinite(sample.quaternion).all()):
            values = f"position {np.asarray(sample.position).tolist()}"
            return Violation(Reason.POSE_NOT_FINITE, f"{values}, quaternion {np.asarray(sample.quaternion).tolist()}")
        norm = float(np.linalg.norm(sample.quaternion))
        if abs(norm - 1.0) > UNIT_TOLERANCE:
            return Violation(Reason.POSE_NOT_UNIT, f"its length is {norm:.4f}{guess_quaternion(sample.quaternion)}")
        return None

    def _jump_from(self, received: float, before: CartesianPose) -> str | None:
        assert self.newest is not None and self._pose is not None
        config, elapsed = self._config, max(self.newest.received - received, 0.0)
        distance, angle = before.distance(self._pose), before.angle(self._pose)
        if distance > config.pose_jump + 2.0 * config.limits.linear_speed * elapsed:
            return f"by {distance:.3f} m within {elapsed:.3f} s"
        if angle > config.pose_jump_angle + 2.0 * config.limits.angular_speed * elapsed:
            return f"by {angle:.2f} rad within {elapsed:.3f} s"
        return None

    def _implausible(self, closedness: float) -> Violation | None:
        """Asked until the answer is no: units and frames do not change under way."""
        if self._plausible:
            return None
        assert self._pose is not None
        found = check_state(self._pose.state(closedness), self._config.workspace, self._config.ignore_sanity)
        self._plausible = not found
        return Violation(Reason.INPUT_IMPLAUSIBLE, "; ".join(map(str, found))) if found else None

    def _outside(self) -> Violation | None:
        assert self._pose is not None
        box, position = self._config.workspace, self._pose.position
        if box.contains(position, self._config.workspace_margin):
            return None
        where = f"{np.round(position, 3).tolist()} is {box.distance(position) * 1000:.0f} mm outside"
        return Violation(Reason.POSE_OUTSIDE_WORKSPACE, f"{where} {box.lower} … {box.upper}")


class GripperGuard:
    """Watches the measured gripper closedness: finite, plausible, and fresh."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self.newest: GripperSample | None = None

    @property
    def required(self) -> bool:
        """Whether there has to be one."""
        return self._config.gripper_timeout is not None

    def observe(self, sample: GripperSample) -> None:
        """Take note of a gripper position."""
        self.newest = sample

    def check(self, now: Now) -> Violation | None:
        """What is wrong with the newest gripper position; nothing if none is required."""
        timeout = self._config.gripper_timeout
        if timeout is None or self.newest is None:
            return None
        if not np.isfinite(self.newest.closedness):
            return Violation(Reason.GRIPPER_NOT_FINITE, f"closedness is {self.newest.closedness}")
        if self.newest.implausible:
            return Violation(Reason.INPUT_IMPLAUSIBLE, self.newest.implausible)
        return _check_age(self.newest, now, timeout, self._config.future_tolerance, _GRIPPER_AGE)
