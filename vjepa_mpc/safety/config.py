"""Settings of the supervisor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.safety.sanity import FINDINGS

_MAY_BE_ZERO = ("future_tolerance", "workspace_margin", "recovery_time")


@dataclass(frozen=True, kw_only=True)
class SupervisorConfig:
    """What the supervisor lets pass. Times in seconds, lengths in metres, angles in radians.

    Attributes:
        frame_id: the robot base frame, which poses must be in.
        workspace: where the end effector may be.
        limits: of steps and set-points.
        image_timeout: oldest usable image, by stamp and by reception.
        pose_timeout: oldest usable pose, likewise.
        gripper_timeout: oldest usable gripper position, likewise; None if there is no gripper feedback.
        future_tolerance: how far a stamp may lie ahead of the clock.
        frozen_image_time: how long a picture may stay the same, byte by byte, after the arm has moved.
        frozen_image_motion: how far the arm moves before its picture must have changed.
        pose_jump: how much further than at twice the set-points' top speed the arm may get between two poses.
        pose_jump_angle: the same for orientation.
        workspace_margin: how far outside the box the arm may be found, e.g. for the controller's standing error.
        recovery_time: how long everything must be well before a hold ends.
        plan_deadline: longest time from observation to plan that is not counted as late.
        plan_max_age: oldest observation that a plan may be carried out on.
        max_deadline_misses: late plans in a row that make a fault.
        ignore_sanity: findings of the start-up check that are right for this robot, by name.

    Raises:
        ValueError: a value is unusable; the message says what to use.
    """

    frame_id: str
    workspace: WorkspaceBox
    limits: MotionLimits = field(default_factory=MotionLimits)
    image_timeout: float = 0.5
    pose_timeout: float = 0.2
    gripper_timeout: float | None = 1.0
    future_tolerance: float = 0.1
    frozen_image_time: float = 0.5
    frozen_image_motion: float = 0.005
    pose_jump: float = 0.05
    pose_jump_angle: float = 0.5
    workspace_margin: float = 0.01
    recovery_time: float = 0.5
    plan_deadline: float = 5.0
    plan_max_age: float = 10.0
    max_deadline_misses: int = 3
    ignore_sanity: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.frame_id:
            raise ValueError("frame_id='': give the robot base frame's name, e.g. fr3_link0")
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, float | int):
                continue
            least_excluded = entry.name not in _MAY_BE_ZERO
            if not math.isfinite(value) or value < 0 or (least_excluded and value == 0):
                raise ValueError(f"{entry.name}={value}: use a {'positive ' if least_excluded else ''}finite number")
        unknown = sorted(set(self.ignore_sanity) - set(FINDINGS))
        if unknown:
            raise ValueError(f"ignore_sanity: {', '.join(unknown)} unknown; known are {', '.join(FINDINGS)}")
