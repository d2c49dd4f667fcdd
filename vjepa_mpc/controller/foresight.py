"""What a controller expects to see, for those who want to look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from vjepa_mpc.controller.step import Step


@dataclass(frozen=True, kw_only=True, eq=False)
class Foresight:
    """Latents around an action, on the world model's device.

    Attributes:
        looked: [N, D] of the camera's picture itself.
        seen: [N, D] where the action begins: of the camera's picture, or predicted from it while the arm is still on
            its way there.
        expected: [N, D] after the action.
    """

    looked: Tensor
    seen: Tensor
    expected: Tensor


@runtime_checkable
class Foresees(Protocol):
    """A controller that can tell what it expects to see.

    Attributes:
        keep_candidates: whether plans keep what each iteration predicted, in ``PlanResult.history``. Any thread may
            set it at any time; what is set holds from the next proposal on.
    """

    keep_candidates: bool

    def foresee(self, step: Step) -> Foresight | None:
        """What is expected after a proposed step; None where nobody knows. Planning thread; changes nothing."""

    def look(self, image: np.ndarray) -> Tensor:
        """The latent [N, D] of a picture, uint8 RGB [H, W, 3]. Planning thread; changes nothing."""
