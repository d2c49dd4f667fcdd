"""What may propose the actions; one file for each choice of the parameter ``controller``."""

from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.registry import Registry

DEFAULT = "visual_mpc"
CONTROLLERS: Registry[Controller] = Registry(__name__, Controller, "controller", derived=True)
