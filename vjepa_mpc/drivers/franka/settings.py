"""Settings of the libfranka driver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vjepa_mpc.geometry.inverse_kinematics import HOME_POSTURE
from vjepa_mpc.options import check_options, option


def _bound(part: str, power: str, default: float, most: float) -> Any:
    """A limit that motions follow; more than an FR3 can do is a mistake. The client applies the Panda's lower ones."""
    what, unit = _PARTS[part]
    quantity, exponent = _POWERS[power]
    return option(default, f"Top {quantity} of {what}.", unit=f"{unit}/{exponent}", low=0.001, high=most)


_PARTS = {
    "joint": ("the joints in joint motions", "rad"),
    "linear": ("the end effector in Cartesian motions", "m"),
    "angular": ("the end effector's rotation in Cartesian motions", "rad"),
}
_POWERS = {"speed": ("speed", "s"), "acceleration": ("acceleration", "s²"), "jerk": ("jerk", "s³")}


@dataclass(frozen=True, kw_only=True)
class ArmSettings:
    """How the arm is reached and moved. Joint limits lie above what the set-points need.

    Raises:
        ValueError: a value that no robot could have; the message names it.
    """

    robot_ip: str = option("", "Address of the robot's controller; 127.0.0.1 for the simulated one; has to be given.")
    realtime: bool = option(False, "Refuse a kernel without real-time scheduling.")
    rate: float = option(
        100.0, "How often poses are published and targets passed on.", unit="Hz", low=10.0, high=1000.0
    )
    retry_period: float = option(1.0, "Time between attempts to connect to the arm.", unit="s", low=0.01, high=60.0)
    silence: float = option(
        0.2, "The connection counts as lost when no new state comes for this long.", unit="s", low=0.01, high=10.0
    )
    target_timeout: float = option(
        0.2, "The arm stops and holds when no target comes for this long.", unit="s", low=0.02, high=10.0
    )
    max_lead: float = option(
        0.15, "A target farther than this from the measured position is refused.", unit="m", low=0.01, high=1.0
    )
    joint_speed: float = _bound("joint", "speed", 1.5, 2.62)
    joint_acceleration: float = _bound("joint", "acceleration", 7.0, 10.0)
    joint_jerk: float = _bound("joint", "jerk", 2000.0, 5000.0)
    linear_speed: float = _bound("linear", "speed", 0.5, 3.0)
    linear_acceleration: float = _bound("linear", "acceleration", 4.0, 9.0)
    linear_jerk: float = _bound("linear", "jerk", 400.0, 4500.0)
    angular_speed: float = _bound("angular", "speed", 1.0, 2.5)
    angular_acceleration: float = _bound("angular", "acceleration", 8.0, 17.0)
    angular_jerk: float = _bound("angular", "jerk", 800.0, 8500.0)
    force_threshold: float = option(30.0, "Contact force that triggers a reflex.", unit="N", low=1.0, high=200.0)
    torque_threshold: float = option(20.0, "Joint torque that triggers a reflex.", unit="Nm", low=1.0, high=200.0)
    motion: str = option(
        "joint",
        "joint: the arm takes the posture closest to home_posture; cartesian: the robot chooses the posture, which "
        "then depends on the way.",
        choices=("joint", "cartesian"),
    )
    home_posture: tuple[float, ...] = option(
        HOME_POSTURE, "Joint angles [7] that the posture stays close to.", unit="rad", low=-6.3, high=6.3
    )

    def __post_init__(self) -> None:
        if not self.robot_ip.strip():
            raise ValueError(
                "robot_ip='': give the address of the robot's controller, e.g. 172.16.0.2, or a simulated one's"
            )
        if len(self.home_posture) != 7:
            raise ValueError(f"home_posture has {len(self.home_posture)} angles: give one for each of the 7 joints")
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class HandSettings:
    """How the Franka Hand is used.

    Attributes:
        rate: widths read a second.
        retry_period: between attempts to connect, s.

    Raises:
        ValueError: a value that is not positive.
    """

    speed: float = option(0.1, "Speed at which the fingers' distance changes.", unit="m/s", low=0.005, high=0.2)
    force: float = option(30.0, "Force that an object is held with.", unit="N", low=1.0, high=70.0)
    rate: float = 50.0
    retry_period: float = 1.0

    def __post_init__(self) -> None:
        check_options(self, "hand_")
        for name in ("rate", "retry_period"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"hand {name}={getattr(self, name)}: use a positive, finite number")
