"""Parameters of the Franka driver."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

from vjepa_mpc.drivers.franka.settings import MOST, MOTIONS, ArmSettings, HandSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.ros.parameters.live import Entry, Values

_ARM = {field.name: field.default for field in fields(ArmSettings) if field.default is not MISSING}
_HAND = {field.name: field.default for field in fields(HandSettings)}

_PARTS = (
    ("joint", "rad", "the joints in joint motions"),
    ("linear", "m", "the end effector in Cartesian motions"),
    ("angular", "rad", "its rotation in Cartesian motions"),
)


def _arm(name: str, description: str, low: float | None = None, high: float | None = None) -> Entry:
    return Entry(name, _ARM[name], description, low, high)


ENTRIES = (
    Entry("robot_ip", "", "Address of the robot's controller; of the simulated one: 127.0.0.1."),
    Entry("frame_id", "base", "Name of the robot base frame: targets must be in it, poses are."),
    Entry("joint_prefix", "fr3_", "Prefix of the joints' names."),
    Entry("hand", True, "A Franka Hand is mounted."),
    _arm("realtime", "Refuse a kernel without real-time scheduling."),
    _arm("rate", "Poses published and targets passed on a second, in Hz.", 10.0, 1000.0),
    _arm("retry_period", "Between attempts to connect, in s.", 0.1, 60.0),
    _arm("silence", "Without a new state for this long the connection counts as lost, in s.", 0.01, 10.0),
    _arm("target_timeout", "Targets that stop coming for this long: the arm stops and holds, in s.", 0.02, 10.0),
    _arm("max_lead", "A target farther than this from the measured position is refused, in m.", 0.01, 1.0),
    Entry("motion", _ARM["motion"], "joint: posture closest to home; cartesian: the robot's choice.", choices=MOTIONS),
    Entry("home_posture", _ARM["home_posture"], "Joint angles that the posture stays close to, in rad."),
    *(
        _arm(f"{part}_{kind}", f"Limit of {what}, in {unit}/{power}.", 0.001, MOST[f"{part}_{kind}"])
        for part, unit, what in _PARTS
        for kind, power in (("speed", "s"), ("acceleration", "s²"), ("jerk", "s³"))
    ),
    _arm("force_threshold", "Contact force that triggers a reflex, in N.", 1.0, 200.0),
    _arm("torque_threshold", "Joint torque that triggers a reflex, in Nm.", 1.0, 200.0),
    Entry("hand_speed", _HAND["speed"], "Speed of the fingers' distance, in m/s.", 0.005, 0.2),
    Entry("hand_force", _HAND["force"], "Force that an object is held with, in N.", 1.0, 70.0),
)


@dataclass(frozen=True, kw_only=True)
class DriverSettings:
    """A snapshot of the parameters."""

    arm: ArmSettings
    hand: HandSettings | None
    frame_id: str
    arm_joints: tuple[str, ...]
    finger_joints: tuple[str, ...]
    finger: GripperJoint


def build_settings(values: Values) -> DriverSettings:
    """The snapshot of all values.

    Raises:
        ValueError: a value that cannot be used; the message names it.
    """
    if not values["frame_id"]:
        raise ValueError("frame_id='': give the robot base frame's name, e.g. base")
    arm: dict[str, Any] = {field.name: values[field.name] for field in fields(ArmSettings) if field.name in values}
    prefix = values["joint_prefix"]
    return DriverSettings(
        arm=ArmSettings(**arm),
        hand=HandSettings(speed=values["hand_speed"], force=values["hand_force"]) if values["hand"] else None,
        frame_id=values["frame_id"],
        arm_joints=tuple(f"{prefix}joint{number}" for number in range(1, 8)),
        finger_joints=tuple(f"{prefix}finger_joint{number}" for number in (1, 2)),
        finger=GripperJoint(),
    )
