"""Controllers propose the next action; visual MPC is one of them."""

from vjepa_mpc.controller.interface import Controller, NoGoalError
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.controller.visual_mpc import VisualMPC

__all__ = ["Controller", "NoGoalError", "Observation", "Step", "VisualMPC"]
