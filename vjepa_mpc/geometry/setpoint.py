"""One set-point: what an arm's controller is sent, 50 to 100 times a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Setpoint:
    """What is published: a pose and the velocity it was reached with, robot base frame.

    Attributes:
        position: [3] metres.
        quaternion: [4] xyzw, unit.
        linear_velocity: [3] m/s.
        angular_velocity: [3] rad/s.
        time: steady-clock seconds.
        restarted: the first one since the stream was engaged, not connected to the one before.
    """

    position: np.ndarray
    quaternion: np.ndarray
    linear_velocity: np.ndarray
    angular_velocity: np.ndarray
    time: float
    restarted: bool = False
