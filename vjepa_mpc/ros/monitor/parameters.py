"""Parameters of the monitor's node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vjepa_mpc.files import expanded
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.options import build, check_options, group, option, parameters
from vjepa_mpc.ros.common.names import check_name
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values
from vjepa_mpc.worldmodel import Crop


@dataclass(frozen=True, kw_only=True)
class MonitorSettings:
    """What is watched, and what follows from it.

    Raises:
        ValueError: an option is out of its range.
    """

    monitor: str = option("monitor.npz", "File that vjepa-mpc monitor fit has written.", title="Monitor")
    checkpoint: str = option("", "World model that it was fitted with; empty for the bundled one.")
    crop: Crop = option("square", "How pictures are cut, as when it was fitted.", choices=get_args(Crop))
    device: str = option("auto", "PyTorch device of the encoder: auto, cpu, cuda or cuda:N.")
    threads: int = option(1, "CPU threads of PyTorch.", low=1, high=1024)
    image: str = option(
        "image", "Topic of the camera images; with image_transport compressed, /compressed is appended to it."
    )
    image_transport: str = option("raw", "How camera images are sent.", choices=("raw", "compressed"))
    pose: str = option("current_pose", "Topic of the measured pose, for monitors that were fitted with states.")
    joint_states: str = option("joint_states", "Topic that carries the finger joint's position.")
    gripper_joint: str = option("", "Name of the finger joint in joint_states; empty: the gripper counts as open.")
    finger: GripperJoint = group(GripperJoint, "gripper_joint_")
    planner: str = option(
        "",
        "Name of a planner whose goals are the runs; empty: a run begins with the first picture and with ~/begin, and "
        "ends with ~/finish.",
    )
    hold: str = option(
        "",
        "Name of a planner that is held from a deviation until ~/release; with its motion_allowed_timeout also while "
        "this node is silent. Empty: none.",
    )
    log: str = option("", "Folder of the log (deviations.csv and .html with pictures); empty: none is kept.")

    def __post_init__(self) -> None:
        check_options(self)
        for name in ("image", "pose", "joint_states"):
            check_name(getattr(self, name), f"{name}: ")
        for name in ("planner", "hold"):
            if getattr(self, name):
                check_name(getattr(self, name), f"{name}: ")

    @property
    def file(self) -> Path:
        """The monitor's file, with ``~`` expanded."""
        return expanded(self.monitor)

    @property
    def log_folder(self) -> Path | None:
        """The log's folder, with ``~`` expanded."""
        return expanded(self.log).absolute() if self.log else None


PARAMETERS = parameters(MonitorSettings)
NODE = NodeParameters(
    "monitor", lambda values: PARAMETERS, "Watches how work goes, and names what goes otherwise than in normal runs."
)


def build_settings(values: Values) -> MonitorSettings:
    """The snapshot of all values.

    Raises:
        ValueError: an option is out of its range.
    """
    return build(MonitorSettings, values)
