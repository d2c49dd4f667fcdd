"""Visual MPC as a node's settings ask for it."""

from __future__ import annotations

from typing import Any

from vjepa_mpc.controller.setup import Setup
from vjepa_mpc.controller.visual_mpc import VisualMPC


class NodeVisualMPC(VisualMPC):
    """Plans towards goal images with the world model that the settings name."""

    @classmethod
    def make(cls, setup: Setup, options: Any = None) -> NodeVisualMPC:
        """Load the world model and put the controller around it."""
        return cls(
            setup.load_world_model(),
            setup.planner,
            crop=setup.crop,
            gripper=setup.gripper,
            action_rotation=setup.action_rotation,
            seed=setup.seed,
            ranks=setup.ranks,
        )
