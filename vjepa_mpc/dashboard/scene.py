"""The 3-D view: arm, hand, workspace box, candidates, the chosen way, target and set-point."""

from __future__ import annotations

from typing import Any

import numpy as np

from vjepa_mpc.dashboard.arm import chain
from vjepa_mpc.dashboard.seen import Lines, Seen

_WHITE, _BLUE, _MAGENTA, _STEEL = (235, 238, 242), (60, 140, 255), (255, 40, 205), (150, 160, 175)


class Scene:
    """Draws into viser's scene; what has not changed is not sent again.

    Args:
        server: viser's.
    """

    def __init__(self, server: Any) -> None:
        self._scene = server.scene
        self._drawn: dict[str, Any] = {}  # what each thing was drawn from
        self._handles: dict[str, Any] = {}
        self._scene.set_up_direction("+z")
        self._scene.add_grid(
            "/table",
            width=1.6,
            height=1.6,
            cell_size=0.1,
            section_size=0.8,
            position=(0.4, 0.0, 0.0),
            cell_color=(70, 74, 80),
            section_color=(95, 100, 108),
        )
        self._scene.add_frame("/base", axes_length=0.1, axes_radius=0.004)
        server.initial_camera.position = (1.15, -0.85, 0.75)
        server.initial_camera.look_at = (0.33, 0.0, 0.25)

    def draw(self, seen: Seen, candidates: bool) -> None:
        """Everything that is known. ``candidates``: all of the last iteration instead of the best."""
        self._lines("workspace", seen.workspace, 2.0)
        fan = seen.candidates if candidates else seen.elites
        self._lines("fan", fan, 1.5 if candidates else 2.5)
        self._path("chosen", seen.chosen, _BLUE, 6.0)
        self._ball("target", seen.target, 0.011, _BLUE)
        self._ball("setpoint", seen.setpoint, 0.008, _MAGENTA)
        self._arm(seen.joints)
        if self._is_new("hand", seen.pose):
            assert seen.pose is not None
            x, y, z, w = seen.pose.quaternion
            self._handles["hand"] = self._scene.add_frame(
                "/hand", axes_length=0.07, axes_radius=0.003, position=seen.pose.position, wxyz=(w, x, y, z)
            )
            self._join(seen)

    def _arm(self, joints: np.ndarray | None) -> None:
        if not self._is_new("arm", joints):
            return
        assert joints is not None
        points = chain(joints)
        self._path_now("arm", points, _STEEL, 9.0)
        for number, point in enumerate(points[1:], 1):
            self._ball_now(f"joint{number}", point, 0.03 if number < len(points) - 1 else 0.02, _WHITE)

    def _join(self, seen: Seen) -> None:
        """A line from the flange to the hand's measured pose."""
        if seen.joints is not None and seen.pose is not None:
            self._path_now("wrist", np.stack([chain(seen.joints)[-1], seen.pose.position]), _STEEL, 5.0)

    def _lines(self, name: str, lines: Lines | None, width: float) -> None:
        if self._is_new(name, lines):
            assert lines is not None
            colours = np.repeat((255.0 * lines.colours).astype(np.uint8)[:, None], 2, axis=1)
            self._handles[name] = self._scene.add_line_segments(
                f"/{name}", points=lines.ends.astype(np.float32), colors=colours, line_width=width
            )

    def _path(self, name: str, points: np.ndarray | None, colour: tuple[int, int, int], width: float) -> None:
        if self._is_new(name, points):
            assert points is not None
            self._path_now(name, points, colour, width)

    def _path_now(self, name: str, points: np.ndarray, colour: tuple[int, int, int], width: float) -> None:
        ends = np.stack([points[:-1], points[1:]], axis=1).astype(np.float32)
        self._handles[name] = self._scene.add_line_segments(f"/{name}", points=ends, colors=colour, line_width=width)

    def _ball(self, name: str, point: np.ndarray | None, radius: float, colour: tuple[int, int, int]) -> None:
        if self._is_new(name, point):
            assert point is not None
            self._ball_now(name, point, radius, colour)

    def _ball_now(self, name: str, point: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
        if name in self._handles:
            self._handles[name].position = point
        else:
            self._handles[name] = self._scene.add_icosphere(f"/{name}", radius=radius, color=colour, position=point)

    def _is_new(self, name: str, what: Any) -> bool:
        """Whether there is something that is not drawn yet; what is gone is taken off."""
        before = self._drawn.get(name)
        self._drawn[name] = what
        if what is None and name in self._handles:
            self._handles.pop(name).remove()
        return what is not None and what is not before
