"""From planned changes of gripper closedness (0 open … 1 closed) to gripper commands."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN
from vjepa_mpc.options import check_options, option


@dataclass(frozen=True, kw_only=True)
class GripperSettings:
    """How planned gripper actions become commands.

    Attributes:
        mode: ``binary`` commands fully open or fully closed and holds it until the opposite is planned, so that a
            grasped object stays squeezed; ``continuous`` commands the measured closedness plus the planned change.
        threshold: the least planned change that switches a binary gripper.

    Raises:
        ValueError: an unknown mode or a threshold outside [0, 1).
    """

    mode: str = option(
        "binary",
        "How planned gripper actions become commands: binary opens or closes fully and holds that, continuous commands "
        "the measured closedness plus the planned change.",
        choices=("binary", "continuous"),
    )
    threshold: float = option(
        0.25, "Least planned change of closedness (0 to 1) that switches a binary gripper.", low=0.0, high=0.99
    )

    def __post_init__(self) -> None:
        check_options(self, "gripper_")

    def command(self, held: float | None, measured: float, change: float) -> float:
        """The closedness to command.

        Until a binary gripper is first switched, the closedness measured at the first call is held: the fingers of an
        arm that was just taken over do not move by themselves.

        Args:
            held: commanded last; None before the first command.
            measured: closedness now.
            change: of closedness, as planned.
        """
        if self.mode == "continuous":
            return min(max(measured + change, OPEN), CLOSED)
        if change > self.threshold:
            return CLOSED
        if change < -self.threshold:
            return OPEN
        return min(max(measured, OPEN), CLOSED) if held is None else held
