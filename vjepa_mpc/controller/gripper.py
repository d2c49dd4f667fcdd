"""From planned changes of gripper closedness (0 open … 1 closed) to gripper commands."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN

_MODES = ("binary", "continuous")


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

    mode: str = "binary"
    threshold: float = 0.25

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"gripper mode {self.mode!r}: use one of {', '.join(_MODES)}")
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"gripper threshold={self.threshold}: use a closedness change in [0, 1), e.g. 0.25")


class Gripper:
    """The command that a gripper holds. Not thread-safe: it belongs to whoever takes the planned steps."""

    def __init__(self, settings: GripperSettings) -> None:
        self.settings = settings
        self._command: float | None = None

    @property
    def command(self) -> float | None:
        """Closedness commanded last; None before the first update."""
        return self._command

    def update(self, measured: float, change: float) -> float:
        """The closedness to command, given the measured one and the planned change.

        Until a binary gripper is first switched, the closedness measured at the first update is held: the fingers of
        an arm that was just taken over do not move by themselves.
        """
        if self.settings.mode == "continuous":
            self._command = min(max(measured + change, OPEN), CLOSED)
        elif change > self.settings.threshold:
            self._command = CLOSED
        elif change < -self.settings.threshold:
            self._command = OPEN
        elif self._command is None:
            self._command = min(max(measured, OPEN), CLOSED)
        return self._command

    def force(self, closedness: float) -> float:
        """Command a closedness whatever is planned, e.g. for a sub-goal that wants the gripper open."""
        if not OPEN <= closedness <= CLOSED:
            raise ValueError(f"closedness={closedness}: use 0 (open) to 1 (closed)")
        self._command = closedness
        return closedness

    def restore(self, command: float | None) -> None:
        """Hold what `command` was before, because what came after it was not sent."""
        self._command = command

    def reset(self) -> None:
        """Forget the held command; the next update starts from what is measured."""
        self._command = None
