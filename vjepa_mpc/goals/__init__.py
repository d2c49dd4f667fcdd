"""What is to be reached: sub-goals in sequence, what ends each, and what the gripper does meanwhile.

From the final image alone a pick-and-place fails; a sequence of sub-goal images makes it work (V-JEPA 2, arXiv
2506.09985, section 4.3: budgets of 4, 10 and 4 steps). Besides the paper's step budgets a sub-goal can end when the
energy of the newest camera image is low enough, or when it stops falling; whichever comes first.
"""

from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.goals.endings.plateau import Plateau
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal

__all__ = ["Budget", "Ending", "Energy", "GripperIntent", "History", "Plateau", "SubGoal"]
