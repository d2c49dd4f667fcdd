"""A simulated Franka at a table: physics, camera, tasks and training episodes. Nothing here imports ROS."""

from vjepa_mpc.sim.backend import RenderBackendError
from vjepa_mpc.sim.config import Block, Camera, SimConfig, Workspace
from vjepa_mpc.sim.franka_sim import FrankaSim

__all__ = ["Block", "Camera", "FrankaSim", "RenderBackendError", "SimConfig", "Workspace"]
