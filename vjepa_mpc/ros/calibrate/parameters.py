"""Parameters of the calibration's node: the planner's, and its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vjepa_mpc.calibration.route import RouteSettings
from vjepa_mpc.files import expanded
from vjepa_mpc.options import build, group, option, parameters
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values
from vjepa_mpc.ros.parameters.settings import Settings


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """The parameters that the planner does not have.

    Raises:
        ValueError: one is out of range.
    """

    output_file: str = option(
        "calibration.yaml", "Parameter file that is written for the planner.", title="Calibration"
    )
    route: RouteSettings = group(RouteSettings)
    patience: float = option(
        30.0,
        "Longest time without a move, whatever the reason; then the calibration ends.",
        unit="s",
        low=1.0,
        high=3600.0,
    )

    def __post_init__(self) -> None:
        if not self.output_file:
            raise ValueError("output_file='': give the file to write, e.g. calibration.yaml")

    @property
    def path(self) -> Path:
        """The file to write, with ``~`` expanded."""
        return expanded(self.output_file)


PARAMETERS = parameters(CalibrationSettings)
NODE = NodeParameters(
    "calibrate",
    lambda values: (*parameters(Settings, values=values), *PARAMETERS),
    "Makes small known moves in the planner's place, and fits the rotation between the model's axes and the robot's.",
)


def build_settings(values: Values) -> CalibrationSettings:
    """The snapshot of all values.

    Raises:
        ValueError: one is out of range.
    """
    return build(CalibrationSettings, values)
