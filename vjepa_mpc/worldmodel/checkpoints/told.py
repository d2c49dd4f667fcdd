"""What somebody tells about an architecture beside its weights, which do not show it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from vjepa_mpc.worldmodel.vjepa.config import FrameAs


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told; None is not told.

    Attributes:
        img_size: side of the pictures in pixels.
        encoder_heads: attention heads of the encoder.
        pred_heads: attention heads of the predictor.
        frame_as: how a picture is shown to a V-JEPA 2.1 encoder.
        dense: whether a V-JEPA 2.1 encoder gives the latents of four layers side by side.
        rope: whether positions are rotary.
        extrinsics: whether the predictor reads the camera's pose.
        frame_causal: whether a frame's tokens see all of their own frame and of earlier ones, and none of later ones.
        activation: of the transformer blocks.
        encoder_size: (width, layers) of the encoder.
        predictor_size: (width, layers) of the predictor.
        patch_size: in pixels.
        tubelet_size: in frames.
        seconds_a_step: time between frames in training.
        crop: of the pictures in training.
    """

    img_size: int | None = None
    encoder_heads: int | None = None
    pred_heads: int | None = None
    frame_as: FrameAs | None = None
    dense: bool | None = None
    rope: bool | None = None
    extrinsics: bool | None = None
    frame_causal: bool | None = None
    activation: str | None = None
    encoder_size: tuple[int, int] | None = None
    predictor_size: tuple[int, int] | None = None
    patch_size: int | None = None
    tubelet_size: int | None = None
    seconds_a_step: float | None = None
    crop: str | None = None

    def over(self, other: Told) -> Told:
        """What this tells, and where it tells nothing what the other tells."""
        mine: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value is not None})
