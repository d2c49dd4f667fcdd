"""What an action was to lead to, and how far from that is what came."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vjepa_mpc.controller.foresight import Foresight
from vjepa_mpc.controller.sight import Sight, distance


@dataclass(frozen=True, eq=False)
class Begun:
    """An action that was planned.

    Attributes:
        looked: [N, D] latent of the camera's picture itself.
        context: [N, D] latent that it was planned from.
        origin: [7] float32 pose there.
        action: [7] float32 along the model's axes.
    """

    looked: Tensor
    context: Tensor
    origin: Tensor
    action: Tensor


class Expectation:
    """Follows the actions that are carried out. Planning thread only.

    Args:
        sight: predicts.
    """

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._begun: Begun | None = None
        self._goal_id = 0
        self._expected: Tensor | None = None  # predicted when it is first asked for

    def begin(self, goal_id: int, begun: Begun | None) -> None:
        """From now on this action is carried out for a goal; None: nobody knows what is."""
        self._goal_id, self._begun, self._expected = goal_id, begun, None

    def forget(self) -> None:
        """The arm was stopped or moved meanwhile."""
        self.begin(0, None)

    def surprise(self, goal_id: int, came: Tensor) -> float:
        """Mean absolute difference between a latent [N, D] and what was expected; waits for the device.

        NaN where nothing was, as after another goal was set, which may have ended the action halfway.
        """
        if self._begun is None or goal_id != self._goal_id:
            return math.nan
        return distance(came, self.foresee(self._begun).expected)

    def foresee(self, begun: Begun) -> Foresight:
        """What is expected after an action; of the one that is being carried out it is predicted once."""
        current = begun is self._begun
        expected = self._expected if current else None
        if expected is None:
            expected = self._sight.after(begun.context, begun.origin, begun.action)
        if current:
            self._expected = expected
        return Foresight(looked=begun.looked, seen=begun.context, expected=expected)
