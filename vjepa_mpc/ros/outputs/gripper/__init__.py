"""Where the gripper's commands go; one file for each choice of the parameter ``gripper_output``."""

from vjepa_mpc.registry import Registry
from vjepa_mpc.ros.outputs.interface import GripperOutput

GRIPPER_OUTPUTS: Registry[GripperOutput] = Registry(__name__, GripperOutput, "gripper output")
