"""What the planner thinks, as its topics tell, for the demo's film."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image

from vjepa_mpc.images import image_to_rgb
from vjepa_mpc.imagination.fan import colours, paths
from vjepa_mpc.imagination.projection import Viewpoint, draw_lines, draw_spot
from vjepa_mpc.msg import PlanCandidates
from vjepa_mpc.sim.config import Camera
from vjepa_mpc.tools.demo.link import DemoLink

_CHOSEN = np.array([0.15, 0.45, 1.0])


class WatchedThoughts:
    """Subscribes to candidates and imagination, and keeps the newest of each.

    Args:
        link: to the planner.
        camera: of the simulator, whose picture the fan is drawn into.
    """

    def __init__(self, link: DemoLink, camera: Camera) -> None:
        position, axes = camera.placement()
        self._viewpoint = Viewpoint(position=position, axes=axes, fovy=camera.fovy)
        self._lock = threading.Lock()
        self._candidates: Any = None
        self._expected: np.ndarray | None = None
        link.subscribe(PlanCandidates, "planner_node/energies", self._on_candidates)
        link.subscribe(Image, "planner_node/imagination", self._on_imagination)

    def forget(self) -> None:
        """What is known belongs to another episode."""
        with self._lock:
            self._candidates = self._expected = None

    @property
    def expected(self) -> np.ndarray | None:
        """What the model expects to see after the newest action, uint8 RGB; None while nobody knows."""
        with self._lock:
            return self._expected

    def with_fan(self, image: np.ndarray, action: np.ndarray | None, side: int) -> np.ndarray:
        """A camera picture of ``side`` pixels with the candidates' ways in it, and the chosen one.

        Args:
            image: uint8 RGB [S, S, 3].
            action: [7] that was chosen; None for none.
            side: of the result.
        """
        picture = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        with self._lock:
            message = self._candidates
        if message is None:
            return picture
        energies, origin = np.array(message.energies), np.array(message.origin)
        worst_first = np.argsort(-energies)
        actions = np.array(message.actions).reshape(len(energies), message.horizon, 7)[worst_first]
        if action is not None:
            way = paths(origin, action[None, None])
            draw_lines(picture, way, _CHOSEN[None], self._viewpoint, width=5, opacity=0.8)
            draw_spot(picture, way[0, -1], _CHOSEN, self._viewpoint, radius=9)
        ways, rgb = paths(origin, actions), colours(energies[worst_first])
        draw_lines(picture, ways, rgb, self._viewpoint, width=1, opacity=0.8)
        for end, colour in zip(ways[:, -1], rgb, strict=True):
            draw_spot(picture, end, colour, self._viewpoint, radius=2)
        return picture

    def _on_candidates(self, message: PlanCandidates) -> None:
        with self._lock:
            self._candidates = message

    def _on_imagination(self, message: Image) -> None:
        picture = image_to_rgb(message)
        with self._lock:
            self._expected = picture
