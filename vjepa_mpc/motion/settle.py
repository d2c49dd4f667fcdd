"""When a motion is over: for the paper's way of control, which takes the next picture once the arm stands still."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from vjepa_mpc.geometry.cartesian import CartesianPose


@dataclass(frozen=True, kw_only=True)
class SettleSettings:
    """What counts as standing still at the target.

    Attributes:
        position_tolerance: metres from the target that are near enough.
        rotation_tolerance: radians, the same for orientation.
        speed_tolerance: m/s below which the arm stands still, however far from the target: a compliant arm has its
            standing error.
        duration: seconds that either must last.
        timeout: seconds from the set-point's arrival after which waiting ends in any case.

    Raises:
        ValueError: one of them is not a positive finite number.
    """

    position_tolerance: float = 0.005
    rotation_tolerance: float = 0.05
    speed_tolerance: float = 0.01
    duration: float = 0.1
    timeout: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value < math.inf:
                raise ValueError(f"settle {field.name}={value}: use a positive finite number")


class SettleMonitor:
    """Watches the arm come to rest after a motion. Not thread-safe; times are seconds of one steady clock."""

    def __init__(self, settings: SettleSettings | None = None) -> None:
        self.settings = settings or SettleSettings()
        self.start()

    def start(self) -> None:
        """A new motion begins."""
        self._arrived: float | None = None
        self._calm_since: float | None = None
        self._last: tuple[float, CartesianPose] | None = None

    def update(self, now: float, *, at_target: bool, measured: CartesianPose | None, target: CartesianPose) -> bool:
        """Whether the motion is over.

        Args:
            now: time of this period.
            at_target: whether the set-point rests at the target; before that the motion is not over.
            measured: newest pose of the arm; None while there is none.
            target: where the motion goes.
        """
        if not at_target:
            self.start()
            return False
        if self._arrived is None:
            self._arrived = now
        if measured is not None:
            calm = self._calm(now, measured, target)
            self._last = (now, measured)
            self._calm_since = (now if self._calm_since is None else self._calm_since) if calm else None
            if self._calm_since is not None and now - self._calm_since >= self.settings.duration:
                return True
        return now - self._arrived >= self.settings.timeout

    def _calm(self, now: float, measured: CartesianPose, target: CartesianPose) -> bool:
        settings = self.settings
        near = measured.distance(target) <= settings.position_tolerance
        if near and measured.angle(target) <= settings.rotation_tolerance:
            return True
        if self._last is None or now <= self._last[0]:
            return False
        return measured.distance(self._last[1]) / (now - self._last[0]) <= settings.speed_tolerance
