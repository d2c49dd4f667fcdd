"""A sub-goal ends when the camera image is near enough to the goal image."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.options import option


@dataclass(frozen=True, kw_only=True)
class Energy(Ending):
    """The energy fell to a threshold.

    Attributes:
        energy_threshold: the highest energy that ends the sub-goal; None for never.
    """

    energy_threshold: float | None = option(
        None, "Energy at or below which a sub-goal ends; 0: never.", low=0.0, high=1e6, live=True, none_is=0.0
    )

    @property
    def reached(self) -> bool:
        """The threshold is what counts as there."""
        return True

    @property
    def on(self) -> bool:
        """Whether there is a threshold."""
        return self.energy_threshold is not None

    def over(self, history: History) -> str:
        """Whether the newest energy is at or below the threshold."""
        newest, threshold = history.energies[-1], self.energy_threshold
        if threshold is None or newest > threshold:
            return ""
        return f"the energy {newest:.4f} fell to its threshold {threshold:g}"
