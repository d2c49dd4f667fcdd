"""How action sequences are searched for: one file per method (see :mod:`.interface`)."""

from vjepa_mpc.planning.optimisers.interface import Optimiser
from vjepa_mpc.registry import Registry

OPTIMISERS: Registry[Optimiser] = Registry(__name__, Optimiser, "optimiser")
