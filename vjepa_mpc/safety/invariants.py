"""What holds for every set-point that is published: one check for the node, the tests and the fault suite."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.quaternion import rotation_between
from vjepa_mpc.geometry.setpoint import Setpoint

_ROUNDING = 1.0 + 1e-6
_UNIT_TOLERANCE = 1e-6
_POSITION_TOLERANCE = 1e-9  # metres
_MATCH_TOLERANCE = 1e-6  # m/s or rad/s between a reported velocity and the pose's change


def check_setpoint(
    setpoint: Setpoint,
    *,
    previous: Setpoint | None,
    measured: CartesianPose | None,
    workspace: WorkspaceBox,
    limits: MotionLimits,
    max_gap: float = 0.1,
) -> tuple[str, ...]:
    """What is wrong with a set-point, in words with values; empty when nothing is.

    Checked: finite; unit quaternion; inside the box; within `max_step` and `max_rotation_step` of the measured pose;
    speeds; and, if the set-point goes on from the previous one, that the pose changed by what the velocity says and
    that accelerations are within the limits.

    Args:
        setpoint: to be published.
        previous: the one published before; None if there was none.
        measured: newest trusted pose of the arm; None leaves the distance from it unchecked.
        workspace: where set-points may be.
        limits: how far and how fast.
        max_gap: after a longer silence motion starts from rest, and only the average speed is checked.
    """
    values = (setpoint.position, setpoint.quaternion, setpoint.linear_velocity, setpoint.angular_velocity)
    if not all(np.isfinite(value).all() for value in values):
        return (f"not finite: position {setpoint.position.tolist()}, quaternion {setpoint.quaternion.tolist()}",)
    found = []
    norm = float(np.linalg.norm(setpoint.quaternion))
    if abs(norm - 1.0) > _UNIT_TOLERANCE:
        found.append(f"quaternion norm {norm:.6f} is not 1")
    if not workspace.contains(setpoint.position, _POSITION_TOLERANCE):
        found.append(f"position {np.round(setpoint.position, 4).tolist()} is outside the workspace box")
    _check("linear speed", setpoint.linear_velocity, limits.linear_speed, "m/s", found)
    _check("angular speed", setpoint.angular_velocity, limits.angular_speed, "rad/s", found)
    if measured is not None:
        _check("distance from the measured pose", setpoint.position - measured.position, limits.max_step, "m", found)
        lead = rotation_between(measured.quaternion, setpoint.quaternion)
        _check("turn from the measured pose", lead, limits.max_rotation_step, "rad", found)
    if previous is not None and not setpoint.restarted:
        _check_continuity(setpoint, previous, limits, max_gap, found)
    return tuple(found)


def _check_continuity(
    setpoint: Setpoint, previous: Setpoint, limits: MotionLimits, max_gap: float, found: list[str]
) -> None:
    dt = setpoint.time - previous.time
    if dt <= 0.0:
        found.append(f"time went {-dt:.4f} s back since the previous set-point")
        return
    speed = (setpoint.position - previous.position) / dt
    rate = rotation_between(previous.quaternion, setpoint.quaternion) / dt
    if dt > max_gap:
        _check("mean linear speed", speed, limits.linear_speed, "m/s", found)
        _check("mean angular speed", rate, limits.angular_speed, "rad/s", found)
        return
    if np.linalg.norm(speed - setpoint.linear_velocity) > _MATCH_TOLERANCE:
        found.append(f"position changed at {speed.tolist()} m/s instead of {setpoint.linear_velocity.tolist()}")
    if np.linalg.norm(rate - setpoint.angular_velocity) > _MATCH_TOLERANCE:
        found.append(f"orientation changed at {rate.tolist()} rad/s instead of {setpoint.angular_velocity.tolist()}")
    change = (setpoint.linear_velocity - previous.linear_velocity) / dt
    _check("linear acceleration", change, limits.linear_acceleration, "m/s²", found)
    change = (setpoint.angular_velocity - previous.angular_velocity) / dt
    _check("angular acceleration", change, limits.angular_acceleration, "rad/s²", found)


def _check(name: str, vector: np.ndarray, most: float, unit: str, found: list[str]) -> None:
    size = float(np.linalg.norm(vector))
    if size > most * _ROUNDING + _POSITION_TOLERANCE:
        found.append(f"{name} {size:.4g} {unit} exceeds {most:g} {unit}")
