"""The published objective on the patches that matter: those under the white part of a mask image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vjepa_mpc.images import read_image_file
from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.objectives.interface import Objective, Predicted
from vjepa_mpc.planning.parts import Setup
from vjepa_mpc.worldmodel.preprocess import crop_box


class Masked(Objective):
    """Mean absolute distance, each patch weighted by how white the mask is there."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """Where the mask is.

        Attributes:
            mask: path of the image file. It shows the camera's whole picture, at any resolution, and is cropped as that
                is: white counts, black does not, grey counts partly.
        """

        mask: str = option(
            "",
            "With the objective masked: image file of the camera's picture in which white marks what counts. Black "
            "does not count.",
        )

        def __post_init__(self) -> None:
            check_options(self, "masked.")

    def __init__(self, options: Options) -> None:
        self._path = options.mask

    def prepare(self, setup: Setup) -> None:
        """Read the mask.

        Raises:
            ImageError: the file cannot be read.
            ValueError: no file is named, it is all black, or the world model's patches are not a square grid.
        """
        if not self._path:
            raise ValueError("masked.mask='': the objective masked needs the path of a mask image")
        side = math.isqrt(setup.tokens_per_frame)
        if side * side != setup.tokens_per_frame:
            raise ValueError(
                f"objective=masked with {setup.tokens_per_frame} patches per picture: this world model's patches are "
                "not a square grid; use another objective"
            )
        weights = self._whiteness(setup, side)
        if not weights.any():
            raise ValueError(f"masked.mask='{self._path}' is black everywhere in the picture's crop: mark what counts")
        self._weights = (weights / weights.sum()).to(setup.device)

    def _whiteness(self, setup: Setup, side: int) -> Tensor:
        """[N] how white the mask is under each patch, 0 … 1."""
        mask = torch.from_numpy(read_image_file(self._path)).float().mean(dim=-1) / 255.0
        top, left, height, width = crop_box(mask.shape[0], mask.shape[1], setup.crop)
        cropped = mask[top : top + height, left : left + width]
        return F.adaptive_avg_pool2d(cropped[None], (side, side)).flatten()

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        distance = (predicted.last.float() - goal.float()).abs().mean(dim=-1)
        return (distance * self._weights).sum(dim=-1)
