"""Mean absolute distance of the last latents from the goal's: the published objective."""

from __future__ import annotations

from torch import Tensor

from vjepa_mpc.planning.objectives.interface import Objective, Predicted


def l1_energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean absolute distance of latents [S, N, D] from the goal [N, D], [S] float32."""
    return (latents.float() - goal.float()).abs().mean(dim=(-2, -1))


class L1(Objective):
    """:func:`l1_energy` of the latents after the last action."""

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        return l1_energy(predicted.last, goal)
