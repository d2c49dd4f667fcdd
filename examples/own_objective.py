"""An objective of your own: stay above a height on the way, and end where the goal picture shows.

In Python: ``CEMPlanner(model, config, objective=StayAbove())``. In ROS, with this folder on PYTHONPATH, the parameters
``objective: own_objective:StayAbove`` and ``stay_above.height: 0.12``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vjepa_mpc.options import option
from vjepa_mpc.planning import Objective, Predicted, l1_energy


class StayAbove(Objective):
    """The published energy, and a cost for each step that ends below a height."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """How high, and what it costs to be lower."""

        height: float = option(0.1, "Height above the robot's base that the arm should keep.", unit="m", low=0, high=1)
        weight: float = option(10.0, "Energy for each metre below that height.", low=0, high=1000, live=True)

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or self.Options()

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """Energies [S] of candidates: latents [S, H, N, D], actions and poses [S, H, 7]; lower is better."""
        below = (self._options.height - predicted.poses[:, :, 2]).clamp(min=0.0).sum(dim=1)
        return l1_energy(predicted.last, goal) + self._options.weight * below
