"""Planning: goals in sequence, and the cross-entropy method that finds the next action."""

from vjepa_mpc.planning.cem import CEMPlanner, PlanResult, l1_energy
from vjepa_mpc.planning.config import PRESETS, CEMConfig

__all__ = ["PRESETS", "CEMConfig", "CEMPlanner", "PlanResult", "l1_energy"]
