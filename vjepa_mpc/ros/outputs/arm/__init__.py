"""How set-points are published; one file for each choice of the parameter ``output``."""

from vjepa_mpc.registry import Registry
from vjepa_mpc.ros.outputs.interface import Output

OUTPUTS: Registry[Output] = Registry(__name__, Output, "output")
