"""Where candidates come from: one file per way to draw them (see :mod:`.interface`)."""

from vjepa_mpc.planning.samplers.interface import Sampler
from vjepa_mpc.registry import Registry

SAMPLERS: Registry[Sampler] = Registry(__name__, Sampler, "sampler")
