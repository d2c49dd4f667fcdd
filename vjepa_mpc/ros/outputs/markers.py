"""Messages for viewers: the planner's fan of paths, the chosen one, the workspace and the set-point."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header

from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.rotation import quaternion_from_euler
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.imagination.fan import along_robot_axes, box_edges, colours, paths, segments
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.conversions import pose_message

_LIFETIME = 60  # seconds; what is older is not true any more
_BLUE, _WHITE, _GREY = (0.15, 0.45, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0), (0.6, 0.6, 0.6, 0.6)
_MAGENTA = (1.0, 0.1, 0.8, 1.0)
_GOING, _ARRIVED = (0.95, 0.85, 0.10, 0.4), (0.10, 0.75, 0.25, 0.4)
_FAN_ALPHA = 0.6
_ABOVE = np.array([0.0, 0.0, 0.08])  # metres, where the words stand


def step_markers(step: Step, origin: np.ndarray, box: WorkspaceBox | None, header: Header) -> Any:
    """The ``MarkerArray`` of a step: namespaces elites, chosen, target, arrival, workspace and words.

    Args:
        step: that is being carried out.
        origin: [7] where it begins.
        box: that the arm may move in.
        header: of all markers.
    """
    lines = _marker(header, "elites", "LINE_LIST", 0.002, _WHITE)
    if step.plan is not None:
        elites = paths(origin, along_robot_axes(step.plan.elites.numpy(), step.action_rotation))
        rgb = colours(step.plan.elite_energies.numpy())
        # The best is drawn last, over the others.
        ends = segments(elites)[::-1]
        lines.points = _points(ends.reshape(-1, 3))
        lines.colors = [_colour((*each, _FAN_ALPHA)) for each in rgb[::-1] for _ in range(ends.shape[1])]
    chosen = _marker(header, "chosen", "LINE_STRIP", 0.006, _BLUE)
    way = paths(origin, step.actions[None])[0]
    chosen.points = _points(way)
    target = _marker(header, "target", "SPHERE", 0.02, _BLUE, step.target_pose[:3])
    # The goal shows no place, only a picture: what is known is where the plan ends, and that nothing is nearer to it.
    arrived = step.plan is not None and step.plan.arrived
    arrival = _marker(header, "arrival", "SPHERE", 0.04, _ARRIVED if arrived else _GOING, way[-1])
    words = _marker(header, "words", "TEXT_VIEW_FACING", 0.025, _WHITE, origin[:3] + _ABOVE)
    words.text = _words(step)
    markers = [lines, chosen, target, arrival, words]
    if box is not None:
        edges = _marker(header, "workspace", "LINE_LIST", 0.003, _GREY)
        edges.points = _points(box_edges(box))
        markers.append(edges)
    return optional_interfaces.marker_array()(markers=markers)


def setpoint_markers(setpoint: Setpoint, header: Header) -> Any:
    """The ``MarkerArray`` of what the arm is being sent: namespace setpoint."""
    marker = _marker(header, "setpoint", "SPHERE", 0.015, _MAGENTA, setpoint.position)
    return optional_interfaces.marker_array()(markers=[marker])


def path_message(step: Step, origin: np.ndarray, header: Header) -> Any:
    """The chosen way as a ``nav_msgs/Path``, with the orientation that the arm is told."""
    turn = quaternion_from_euler(step.target_pose[3:6])
    message = optional_interfaces.path()(header=header)
    message.poses = [
        pose_message(position, turn, header.frame_id, header.stamp) for position in paths(origin, step.actions[None])[0]
    ]
    return message


def _words(step: Step) -> str:
    budget = f" of {step.step_budget}" if step.step_budget else ""
    words = f"goal {step.goal_index + 1} of {step.goal_count}, step {step.goal_step}{budget}"
    if step.outlook is not None:
        words += f": energy {step.energy:.3f}, {step.outlook.expected:.3f} expected"
    return words


def _marker(
    header: Header,
    namespace: str,
    kind: str,
    size: float,
    colour: tuple[float, ...],
    position: np.ndarray | None = None,
) -> Any:
    of = optional_interfaces.marker()
    marker = of(header=header, ns=namespace, id=0, type=getattr(of, kind), action=of.ADD, color=_colour(colour))
    marker.pose.orientation.w = 1.0
    if position is not None:
        marker.pose.position = _points(position[None])[0]
    marker.scale.x = marker.scale.y = marker.scale.z = size
    marker.lifetime.sec = _LIFETIME
    return marker


def _points(positions: np.ndarray) -> list[Point]:
    return [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in positions]


def _colour(rgba: tuple[float, ...]) -> ColorRGBA:
    red, green, blue, alpha = map(float, rgba)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)
