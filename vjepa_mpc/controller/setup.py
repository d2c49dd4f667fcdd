"""What a controller may know of the node that it is made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.planning import CEMConfig, Ranks
from vjepa_mpc.worldmodel.interface import WorldModel
from vjepa_mpc.worldmodel.preprocess import Crop


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """For :meth:`~vjepa_mpc.controller.interface.Controller.make`; a controller takes what it has a use for.

    Attributes:
        load_world_model: loads the world model that the settings name, on all ranks. It takes long, and nothing is
            loaded if it is not called.
        planner: how actions are searched for.
        gripper: how planned closedness becomes commands.
        action_rotation: [3, 3] from the axes of the model's actions to the robot's.
        crop: how camera and goal images are cut.
        seed: of random numbers.
        workspace: box that the arm may move in; None while none is given.
        ranks: the processes that share the planning; None when there is only this one.
    """

    load_world_model: Callable[[], WorldModel]
    planner: CEMConfig
    gripper: GripperSettings
    action_rotation: np.ndarray
    crop: Crop
    seed: int
    ranks: Ranks | None
    workspace: WorkspaceBox | None = None
