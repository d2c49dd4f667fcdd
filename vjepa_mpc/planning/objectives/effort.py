"""How much the arm moves; for use beside a distance from the goal (see the objective ``sum``)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.objectives.interface import Objective, Predicted


class Effort(Objective):
    """Mean over the steps of the way's length and of the gripper's change, each by weight."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """What motion costs.

        Attributes:
            weight: energy per metre.
            gripper_weight: energy per full change of the gripper.
        """

        weight: float = option(
            1.0, "With the objective effort: energy of a step of one metre.", low=0.0, high=1e6, live=True
        )
        gripper_weight: float = option(
            0.05,
            "With the objective effort: energy of opening or closing the gripper fully in one step.",
            low=0.0,
            high=1e6,
            live=True,
        )

        def __post_init__(self) -> None:
            check_options(self, "effort.")

    def __init__(self, options: Options) -> None:
        self._options = options

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        way = torch.linalg.vector_norm(predicted.actions[..., :3].float(), dim=-1)
        change = predicted.actions[..., 6].float().abs()
        return (self._options.weight * way + self._options.gripper_weight * change).mean(dim=-1)
