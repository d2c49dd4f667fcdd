"""Planning: goals in sequence, and the cross-entropy method that finds the next action."""

from vjepa_mpc.planning.agreement import AgreementBounds, admit_quantised, measure_agreement
from vjepa_mpc.planning.compute.budget import Pace
from vjepa_mpc.planning.compute.evaluation import l1_energy
from vjepa_mpc.planning.compute.follow import follow
from vjepa_mpc.planning.compute.ranks import RankLostError, Ranks
from vjepa_mpc.planning.config import PRESETS, CEMConfig
from vjepa_mpc.planning.planner import CEMPlanner, PlanResult

__all__ = [
    "PRESETS",
    "AgreementBounds",
    "CEMConfig",
    "CEMPlanner",
    "Pace",
    "PlanResult",
    "RankLostError",
    "Ranks",
    "admit_quantised",
    "follow",
    "l1_energy",
    "measure_agreement",
]
