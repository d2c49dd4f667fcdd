"""When a motion is over: for the paper's way of control, which takes the next picture once the arm stands still."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.options import check_options, option


@dataclass(frozen=True, kw_only=True)
class SettleSettings:
    """What counts as standing still at the target, and how long that is waited for.

    Raises:
        ValueError: one of them is out of its range.
    """

    position_tolerance: float = option(
        0.005, "The arm has arrived when it is this close to its target.", unit="m", low=1e-4, high=0.1
    )
    rotation_tolerance: float = option(
        0.05, "The arm has arrived when its rotation is this close to its target's.", unit="rad", low=1e-3, high=1.0
    )
    # However far from the target: a compliant arm has its standing error.
    speed_tolerance: float = option(
        0.01, "An arm that is slower than this stands still, wherever it is.", unit="m/s", low=1e-4, high=1.0
    )
    duration: float = option(
        0.1,
        "How long the arm must be at its target, or stand still, before the next plan.",
        unit="s",
        low=0.001,
        high=5,
    )
    timeout: float = option(
        2.0,
        "Longest wait for the arm to arrive; then the next plan starts from where it is.",
        unit="s",
        low=0.1,
        high=60.0,
    )

    def __post_init__(self) -> None:
        check_options(self, "settle.")


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
