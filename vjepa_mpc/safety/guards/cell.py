"""What several guards judge by: where the arm works and how it may move."""

from __future__ import annotations

from dataclasses import dataclass, field

from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import GuardOptions


@dataclass(frozen=True, kw_only=True)
class CellOptions(GuardOptions):
    """The arm's surroundings and limits.

    Attributes:
        frame_id: the robot base frame, which poses must be in.
        workspace: where the end effector may be.
        limits: of steps and set-points.

    Raises:
        ValueError: an option is unusable; the message says what to use.
    """

    frame_id: str
    workspace: WorkspaceBox
    limits: MotionLimits = field(default_factory=MotionLimits)
    pose_jump: float = option(
        0.05,
        "How much further than at twice the set-points' top speed the arm may get between two poses. Beyond, the pose "
        "has jumped and the arm stops.",
        unit="m",
        low=0.001,
        high=1.0,
    )
    pose_jump_angle: float = option(
        0.5,
        "How much further than at twice the set-points' top angular speed the arm may turn between two poses. Beyond, "
        "the pose has jumped and the arm stops.",
        unit="rad",
        low=0.001,
        high=3.14,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.frame_id:
            raise ValueError("frame_id='': give the robot base frame's name, e.g. fr3_link0")
