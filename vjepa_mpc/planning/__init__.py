"""Planning: from a picture, a pose and a goal picture to the actions that lead there.

What to import from here:

- :class:`CEMPlanner` plans; :class:`CEMConfig` are its settings, :data:`PRESETS` recommended ones; :class:`PlanResult`
  is what it finds, :class:`Question` what it was asked, :class:`Goal` the goal picture in it.
- :class:`Objective`, :class:`Sampler`, :class:`Update` and :class:`Optimiser` are the interfaces of its parts, one file
  each in the folders of those names. :class:`Predicted` is what an objective sees, :func:`l1_energy` the published one.
  Own parts are named in the settings as "package.module:Class".
- :class:`ObservedEnergy` is the objective applied to what the camera sees.
- :class:`Ranks` and :func:`follow` share a plan among processes; :class:`Pace` remembers how long predictions take.
- :func:`measure_agreement` and :func:`admit_quantised` ask whether a cheaper world model finds the same plans.
- :func:`planner_parameters`, :func:`planner_config` and :func:`plain_settings` turn settings into plain values (ROS
  parameters, YAML) and back.
"""

from vjepa_mpc.planning.agreement import AgreementBounds, admit_quantised, measure_agreement
from vjepa_mpc.planning.checks import NotFiniteError
from vjepa_mpc.planning.compute.budget import Pace
from vjepa_mpc.planning.compute.follow import follow
from vjepa_mpc.planning.compute.ranks import RankLostError, Ranks
from vjepa_mpc.planning.compute.scorer import Scorer
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.energy import ObservedEnergy
from vjepa_mpc.planning.objectives.interface import Energy, Objective, Predicted
from vjepa_mpc.planning.objectives.l1 import l1_energy
from vjepa_mpc.planning.optimisers.interface import Optimiser, OptimiserSetup
from vjepa_mpc.planning.outlook import Outlook
from vjepa_mpc.planning.parts import Setup
from vjepa_mpc.planning.pins import GRIPPER
from vjepa_mpc.planning.planner import CEMPlanner
from vjepa_mpc.planning.presets import PRESETS
from vjepa_mpc.planning.question import Goal, Question
from vjepa_mpc.planning.result import Candidates, PlanResult
from vjepa_mpc.planning.samplers.interface import Sampler
from vjepa_mpc.planning.settings import plain_settings, planner_config, planner_parameters
from vjepa_mpc.planning.updates.interface import Distribution, Elites, Update

__all__ = [
    "GRIPPER",
    "PRESETS",
    "AgreementBounds",
    "CEMConfig",
    "CEMPlanner",
    "Candidates",
    "Distribution",
    "Elites",
    "Energy",
    "Goal",
    "NotFiniteError",
    "Objective",
    "ObservedEnergy",
    "Optimiser",
    "OptimiserSetup",
    "Outlook",
    "Pace",
    "PlanResult",
    "Predicted",
    "Question",
    "RankLostError",
    "Ranks",
    "Sampler",
    "Scorer",
    "Setup",
    "Update",
    "admit_quantised",
    "follow",
    "l1_energy",
    "measure_agreement",
    "plain_settings",
    "planner_config",
    "planner_parameters",
]
