"""How the search goes on from the candidates' energies: one file per rule (see :mod:`.interface`)."""

from vjepa_mpc.planning.updates.interface import Update
from vjepa_mpc.registry import Registry

UPDATES: Registry[Update] = Registry(__name__, Update, "update rule")
