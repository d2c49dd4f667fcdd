"""One minus the cosine between the last latents and the goal's: only the direction of a patch's features counts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from vjepa_mpc.planning.objectives.interface import Objective, Predicted


class Cosine(Objective):
    """Mean over patches; from 0 (same direction) to 2 (opposite)."""

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        cosine = F.cosine_similarity(predicted.last.float(), goal.float()[None], dim=-1)
        return 1.0 - cosine.mean(dim=-1)
