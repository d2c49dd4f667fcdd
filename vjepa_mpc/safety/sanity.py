"""Does a robot's state look like metres, radians, closedness and the base frame?

Users who passed degrees, or a finger joint's metres as the gripper, saw a good model "fail". These checks call such
values by name before anything moves. They are guesses from magnitudes of a table-top arm (reach of a Franka: 0.86 m).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.pose import POSE_DIM
from vjepa_mpc.geometry.quaternion import rotate
from vjepa_mpc.geometry.rotation import quaternion_from_euler

FINDINGS = (
    "MILLIMETRES",
    "CENTIMETRES",
    "DEGREES",
    "ZERO_POSE",
    "OTHER_FRAME",
    "GRIPPER_POINTS_UP",
    "CLOSEDNESS_RANGE",
    "FINGER_METRES",
    "GRIPPER_JOINT_RANGE",
)

_REACH = 1.3  # metres from the base that an arm with a long tool on a raised mount may get
_LARGEST_CENTIMETRES = 150.0  # what reads more is in millimetres
_LARGEST_MOVE = 0.5  # metres in one step: the most that maxnorm may be
_LARGEST_CENTIMETRE_MOVE = 15.0  # what is more is in millimetres
_LARGEST_EULER = 1.5 * np.pi + 0.1  # roll is kept in (-π/2, 3π/2]
_LARGEST_COMPONENT = 1.01  # of a quaternion, with rounding
_COLUMN = (0.1, 0.3)  # radius and height of the base, where no end effector gets
_FAR_FROM_WORKSPACE = 0.5  # metres
_CLOSEDNESS_SLACK = 0.01
# What a Franka's open hand reads in metres: one finger 0.04, both together 0.08.
_FINGER_READINGS = ((0.0385, 0.0405), (0.078, 0.081))
_JOINT_SLACK = 0.2  # of the way from open to closed


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: a name of FINDINGS, and words with the value."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def check_state(
    state: np.ndarray, workspace: WorkspaceBox | None = None, ignore: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """What looks wrong about a state [7] x, y, z, rx, ry, rz, g; empty when nothing does.

    Args:
        state: finite, as it would be given to the world model.
        workspace: where the arm is expected; None if unknown.
        ignore: names of findings that are right for this robot.
    """
    values = np.asarray(state, dtype=np.float64)
    if values.shape != (POSE_DIM,) or not np.isfinite(values).all():
        raise ValueError(f"state {values.tolist()}: give seven finite numbers x, y, z, rx, ry, rz, g")
    found = _check_position(values[:3], values[3:6], workspace) + _check_rotation(values[3:6])
    found += _check_closedness(float(values[6]))
    return tuple(finding for finding in found if finding.name not in ignore)


def check_gripper_joint(
    position: float, joint: GripperJoint, ignore: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Whether a finger joint's position lies between what it is said to read when open and when closed."""
    share = (position - joint.open_position) / (joint.closed_position - joint.open_position)
    if -_JOINT_SLACK <= share <= 1.0 + _JOINT_SLACK or "GRIPPER_JOINT_RANGE" in ignore:
        return ()
    message = (
        f"the gripper joint reads {position:g}, not between open ({joint.open_position:g}) and closed "
        f"({joint.closed_position:g}); set those to what it really reads"
    )
    return (Finding("GRIPPER_JOINT_RANGE", message),)


def check_moves(actions: np.ndarray, ignore: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """What looks wrong about finite actions [..., 7] from elsewhere; empty when nothing does."""
    moves, changes = np.abs(actions[..., :3]).max(), np.abs(actions[..., 6]).max()
    found = []
    if moves > _LARGEST_MOVE:
        unit = "MILLIMETRES" if moves > _LARGEST_CENTIMETRE_MOVE else "CENTIMETRES"
        found.append(Finding(unit, f"a move of {moves:g} along an axis looks like {unit.lower()}; metres are needed"))
    if changes > 1.0 + _CLOSEDNESS_SLACK:
        words = f"a change of gripper closedness of {changes:g} is more than from 0 (open) to 1 (closed)"
        found.append(Finding("CLOSEDNESS_RANGE", f"{words}; is it a joint position or a percentage?"))
    return tuple(finding for finding in found if finding.name not in ignore)


def guess_quaternion(quaternion: np.ndarray) -> str:
    """What somebody may have put into a quaternion [4] that is none, as the end of a sentence; empty if unknown."""
    largest = float(np.abs(quaternion).max())
    if largest == 0.0:
        return "; nobody filled it in"
    if largest > _LARGEST_EULER:
        return "; are these Euler angles in degrees?"
    return "; are these Euler angles?" if largest > _LARGEST_COMPONENT else ""


def _check_position(position: np.ndarray, euler: np.ndarray, workspace: WorkspaceBox | None) -> list[Finding]:
    words = f"position {np.round(position, 4).tolist()}"
    largest = float(np.abs(position).max())
    if largest > _LARGEST_CENTIMETRES:
        return [Finding("MILLIMETRES", f"{words} looks like millimetres; metres are needed")]
    if largest > 2.0:
        return [Finding("CENTIMETRES", f"{words} looks like centimetres; metres are needed")]
    if not position.any() and not np.remainder(euler, 2.0 * np.pi).any():
        return [Finding("ZERO_POSE", "the pose is all zeros, as in a message that nobody filled in")]
    if float(np.linalg.norm(position)) > _REACH:
        return [Finding("OTHER_FRAME", f"{words} is out of the arm's reach; is it in a world or camera frame?")]
    radius, height = _COLUMN
    if float(np.hypot(position[0], position[1])) < radius and abs(position[2]) < height:
        return [Finding("OTHER_FRAME", f"{words} lies in the robot's base; is it in the hand's or a camera's frame?")]
    if workspace is not None and workspace.distance(position) > _FAR_FROM_WORKSPACE:
        away = f"{workspace.distance(position):.2f} m from the workspace box"
        return [Finding("OTHER_FRAME", f"{words} is {away}; is it in another frame than the box?")]
    return []


def _check_rotation(euler: np.ndarray) -> list[Finding]:
    if float(np.abs(euler).max()) > _LARGEST_EULER:
        return [Finding("DEGREES", f"Euler angles {np.round(euler, 3).tolist()} look like degrees; use radians")]
    if float(rotate(quaternion_from_euler(euler), np.array([0.0, 0.0, 1.0]))[2]) > 0.5:
        words = f"with Euler angles {np.round(euler, 3).tolist()} the gripper points up"
        return [Finding("GRIPPER_POINTS_UP", f"{words}; is the pose that of the hand, in the base frame, as x,y,z,w?")]
    return []


def _check_closedness(closedness: float) -> list[Finding]:
    if not -_CLOSEDNESS_SLACK <= closedness <= 1.0 + _CLOSEDNESS_SLACK:
        words = f"gripper closedness {closedness:g} is not between 0 (open) and 1 (closed)"
        return [Finding("CLOSEDNESS_RANGE", f"{words}; is it a joint position or a percentage?")]
    if any(low <= closedness <= high for low, high in _FINGER_READINGS):
        words = f"gripper closedness {closedness:g} looks like an open hand's finger position in metres"
        return [Finding("FINGER_METRES", f"{words}; convert it to 0 (open) … 1 (closed)")]
    return []
