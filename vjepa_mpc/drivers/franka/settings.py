"""Settings of the libfranka driver."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa_mpc.geometry.inverse_kinematics import HOME_POSTURE

MOTIONS = ("joint", "cartesian")
# What an FR3 can do at most: more is a mistake. The Panda's lower ones are applied by the client library.
MOST = {
    "linear_speed": 3.0,
    "linear_acceleration": 9.0,
    "linear_jerk": 4500.0,
    "angular_speed": 2.5,
    "angular_acceleration": 17.0,
    "angular_jerk": 8500.0,
    "joint_speed": 2.62,
    "joint_acceleration": 10.0,
    "joint_jerk": 5000.0,
}


@dataclass(frozen=True, kw_only=True)
class ArmSettings:
    """How the arm is reached and moved. Metres, radians, seconds, newtons.

    Attributes:
        robot_ip: address of the robot's controller, or of the simulated one.
        realtime: whether a kernel without real-time scheduling is refused.
        rate: states read and targets passed on a second.
        retry_period: between attempts to connect.
        silence: a connection without new states for this long counts as lost.
        target_timeout: a stream of targets that is silent for this long has ended: the arm stops and holds.
        max_lead: a target farther than this from the measured position is not passed on.
        joint_speed, joint_acceleration, joint_jerk: with which joint motions follow; above what the set-points need.
        linear_speed, linear_acceleration, linear_jerk: with which Cartesian motions follow.
        angular_speed, angular_acceleration, angular_jerk: the same for the rotation.
        force_threshold: contact force that triggers a reflex.
        torque_threshold: joint torque that triggers a reflex, in newton metres.
        motion: "joint": the arm takes the posture closest to `home_posture`, whatever way it came. "cartesian": the
            robot chooses the posture; its elbow then depends on the way.
        home_posture: joint angles [7].

    Raises:
        ValueError: a value that no robot could have; the message names it.
    """

    robot_ip: str
    realtime: bool = False
    rate: float = 100.0
    retry_period: float = 1.0
    silence: float = 0.2
    target_timeout: float = 0.2
    max_lead: float = 0.15
    joint_speed: float = 1.5
    joint_acceleration: float = 7.0
    joint_jerk: float = 2000.0
    linear_speed: float = 0.5
    linear_acceleration: float = 4.0
    linear_jerk: float = 400.0
    angular_speed: float = 1.0
    angular_acceleration: float = 8.0
    angular_jerk: float = 800.0
    force_threshold: float = 30.0
    torque_threshold: float = 20.0
    motion: str = "joint"
    home_posture: tuple[float, ...] = HOME_POSTURE

    def __post_init__(self) -> None:
        if not self.robot_ip.strip():
            raise ValueError(
                "robot_ip='': give the address of the robot's controller, e.g. 172.16.0.2, or a simulated one's"
            )
        if self.motion not in MOTIONS:
            raise ValueError(f"motion={self.motion!r}: use one of {', '.join(MOTIONS)}")
        if len(self.home_posture) != 7:
            raise ValueError(f"home_posture has {len(self.home_posture)} angles: give one for each of the 7 joints")
        for name, value in vars(self).items():
            if isinstance(value, float) and not 0.0 < value <= MOST.get(name, math.inf):
                raise ValueError(f"{name}={value}: use more than 0 and at most {MOST.get(name, math.inf)}")


@dataclass(frozen=True, kw_only=True)
class HandSettings:
    """How the Franka Hand is used.

    Attributes:
        speed: of the fingers' distance, m/s.
        force: with which an object is held, N.
        rate: widths read a second.
        retry_period: between attempts to connect, s.

    Raises:
        ValueError: a value that is not positive.
    """

    speed: float = 0.1
    force: float = 30.0
    rate: float = 50.0
    retry_period: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 < value < math.inf:
                raise ValueError(f"hand {name}={value}: use a positive, finite number")
