"""Settings of the control loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from vjepa_mpc.loop.realtime import RealtimeSettings
from vjepa_mpc.motion.arm import MotionSettings
from vjepa_mpc.safety.config import SupervisorConfig


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What the control loop is told once, when it is made.

    Attributes:
        supervisor: what is watched and how far the arm may go; None while no workspace is given: then nothing is
            planned and nothing moves, and activation is refused.
        motion: how the arm follows accepted steps.
        pipelined: the next step is planned while the arm still moves; otherwise from an image of the arm at rest.
        realtime: what is asked of the operating system for the loop's thread.
    """

    supervisor: SupervisorConfig | None
    motion: MotionSettings = field(default_factory=MotionSettings)
    pipelined: bool = False
    realtime: RealtimeSettings = field(default_factory=RealtimeSettings)
