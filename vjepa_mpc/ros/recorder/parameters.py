"""Parameters of the recorder's node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vjepa_mpc.files import expanded
from vjepa_mpc.options import build, check_options, option, parameters
from vjepa_mpc.ros.common.names import check_name
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class RecorderSettings:
    """What is recorded, and within which bounds.

    Raises:
        ValueError: an option is out of its range.
    """

    folder: str = option("recordings", "Folder that bags are written into.", title="Recording")
    planner: str = option(
        "planner_node",
        "Name of the node whose inputs and outputs are recorded; without a leading / in the recorder's own namespace.",
    )
    bags: str = option(
        "run",
        "run: one bag for all that is recorded; goal: one for each goal, from its setting to its end.",
        choices=("run", "goal"),
    )
    also: str = option("", "Further topics to record, separated by commas.")
    jpeg_quality: int = option(
        95, "Quality of the JPEG pictures that raw images are recorded as; 0 records them raw.", low=0, high=100
    )
    split_megabytes: float = option(
        1000.0, "A bag's file is ended, and another begun, once it has this size.", unit="MB", low=1.0, high=1e6
    )
    split_seconds: float = option(
        600.0, "A bag's file is ended, and another begun, once it spans this time.", unit="s", low=1.0, high=1e6
    )
    min_free_megabytes: float = option(
        1000.0,
        "Nothing is recorded while less than this is free on the disk.",
        unit="MB",
        low=1.0,
        high=1e9,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if not self.folder:
            raise ValueError("folder='': give the folder that bags are written into")
        check_name(self.planner, "planner: ")
        for name in self.further_topics:
            check_name(name, "also: ")

    @property
    def path(self) -> Path:
        """The folder, with ``~`` expanded."""
        return expanded(self.folder).absolute()

    @property
    def further_topics(self) -> tuple[str, ...]:
        """The topics of ``also``."""
        return tuple(name.strip() for name in self.also.split(",") if name.strip())


PARAMETERS = parameters(RecorderSettings)
NODE = NodeParameters(
    "recorder",
    lambda values: PARAMETERS,
    "Records what goes into the planner and comes out of it, as rosbag2 folders.",
)


def build_settings(values: Values) -> RecorderSettings:
    """The snapshot of all values.

    Raises:
        ValueError: an option is out of its range.
    """
    return build(RecorderSettings, values)
