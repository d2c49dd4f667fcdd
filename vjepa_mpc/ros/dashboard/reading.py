"""From messages to what the page shows. Functions on message objects; nothing here talks to ROS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vjepa_mpc.dashboard.arm import arm_joints
from vjepa_mpc.dashboard.seen import IDLE, MOVING, STOPPED, WAITING, GoalShown, Lines, Picture, Pose, Seen, Status
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.images import decode_image, image_to_rgb
from vjepa_mpc.imagination.fan import box_edges, colours, paths
from vjepa_mpc.ros.common.conversions import position_of, quaternion_of
from vjepa_mpc.safety.reasons import State

_MOODS = {
    State.IDLE: IDLE,
    State.PLANNING: MOVING,
    State.EXECUTING: MOVING,
    State.UNCONFIGURED: STOPPED,
    State.FAULT: STOPPED,
}
_AGE = " age [s]"  # how the planner's diagnostics call them
_BOX_GREY = 0.6
_MOST_CANDIDATES = 400  # lines; more of them hide one another


def status_of(message: Any) -> Status:
    """Of a PlanStatus."""
    try:
        state = State(message.state)
    except ValueError:  # of a newer planner
        return Status(f"state {message.state}", WAITING, message.reason, message.message, message.goal_id)
    return Status(
        state=state.name,
        mood=_MOODS.get(state, WAITING),
        reason=message.reason,
        message=message.message,
        goal_id=message.goal_id,
        sub_goal=message.sub_goal,
        sub_goals=message.sub_goals,
        step=message.step,
        step_budget=message.step_budget,
        energy=message.energy,
        expected=message.energy_expected,
        plan_time=message.plan_time,
        encode_time=message.encode_time,
        ended_by=message.ended_by,
    )


def picture_of(message: Any) -> Picture:
    """Of an Image or a CompressedImage; it is decoded when it is drawn."""
    if hasattr(message, "encoding"):
        return Picture(lambda: image_to_rgb(message))
    return Picture(lambda: decode_image(message.data, "the picture"))


def goal_of(message: Any) -> GoalShown:
    """Of a GoalPictures."""
    return GoalShown(message.goal_id, tuple(map(picture_of, message.images)), tuple(message.gripper))


def state_of(message: Any) -> np.ndarray:
    """Of a PlanRecord: measured pose and closedness [7] when its picture was taken."""
    return np.array(message.pose, dtype=np.float64)


def pose_of(message: Any) -> Pose | None:
    """Of a PoseStamped; None where it is not finite."""
    pose = Pose(position_of(message), quaternion_of(message))
    return pose if np.isfinite([*pose.position, *pose.quaternion]).all() else None


def ages_of(message: Any, planner: str) -> dict[str, float]:
    """The ages of the inputs that a planner tells in a DiagnosticArray, in seconds by name; empty for another's."""
    for status in message.status:
        if status.name.strip("/") == f"{planner}: planner".strip("/"):
            found = {each.key.removesuffix(_AGE): each.value for each in status.values if each.key.endswith(_AGE)}
            return {name: _number(value) for name, value in found.items()}
    return {}


def take_joints(seen: Seen, message: Any) -> None:
    """A JointState: the arm's angles, when it has them."""
    angles = arm_joints(list(message.name), list(message.position))
    if angles is not None and np.isfinite(angles).all():
        seen.joints = angles


def take_markers(seen: Seen, message: Any) -> None:
    """The planner's MarkerArray."""
    for marker in message.markers:
        if marker.ns == "elites":
            seen.elites = _lines(marker)
        elif marker.ns == "workspace":
            seen.workspace = _lines(marker)
        elif marker.ns == "target":
            seen.target = _position(marker)
        elif marker.ns == "setpoint":
            seen.setpoint = _position(marker)


def take_path(seen: Seen, message: Any) -> None:
    """The chosen way, a nav_msgs/Path."""
    points = np.array([position_of(pose) for pose in message.poses])
    seen.chosen = points if len(points) > 1 and np.isfinite(points).all() else None


def take_candidates(seen: Seen, message: Any) -> None:
    """Every candidate of the last iteration, a PlanCandidates."""
    energies = np.array(message.energies)
    actions = np.array(message.actions, dtype=np.float64).reshape(len(energies), message.horizon, 7)
    if not len(energies):
        seen.candidates = None
        return
    best = np.argsort(energies)[:_MOST_CANDIDATES][::-1]  # the best is drawn last, over the others
    ways = paths(np.array(message.origin), actions[best])
    ends = np.stack([ways[:, :-1], ways[:, 1:]], axis=2).reshape(-1, 2, 3)
    seen.candidates = Lines(ends, np.repeat(colours(energies[best]), message.horizon, axis=0))


def box_of(lower: Any, upper: Any) -> Lines:
    """A workspace box by its corners, each [3] in metres."""
    ends = box_edges(WorkspaceBox(lower=tuple(lower), upper=tuple(upper))).reshape(-1, 2, 3)
    return Lines(ends, np.full((len(ends), 3), _BOX_GREY))


def forget(seen: Seen) -> None:
    """Nothing is known any more of what only a running planner tells."""
    seen.status = seen.surprise = seen.imagination = seen.goal = None
    seen.elites = seen.candidates = seen.chosen = seen.target = seen.setpoint = seen.state = None
    seen.ages, seen.tunables = {}, None


def _lines(marker: Any) -> Lines | None:
    points = np.array([[point.x, point.y, point.z] for point in marker.points]).reshape(-1, 2, 3)
    if not len(points):
        return None
    rgb = np.array([[colour.r, colour.g, colour.b] for colour in marker.colors][::2])
    if len(rgb) != len(points):
        rgb = np.tile([marker.color.r, marker.color.g, marker.color.b], (len(points), 1))
    return Lines(points, rgb)


def _position(marker: Any) -> np.ndarray:
    point = marker.pose.position
    return np.array([point.x, point.y, point.z])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf
