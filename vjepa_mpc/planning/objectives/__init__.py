"""What a plan minimises: one file per objective (see :mod:`.interface`)."""

from vjepa_mpc.planning.objectives.interface import Objective
from vjepa_mpc.registry import Registry

OBJECTIVES: Registry[Objective] = Registry(__name__, Objective, "objective")
