"""Mean squared distance of the last latents from the goal's: few large differences count more than many small ones."""

from __future__ import annotations

from torch import Tensor

from vjepa_mpc.planning.objectives.interface import Objective, Predicted


class L2(Objective):
    """Mean over patches and features."""

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        return (predicted.last.float() - goal.float()).square().mean(dim=(-2, -1))
