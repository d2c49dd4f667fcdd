"""Pictures to latents: the encoder of either family, built, and shown one picture at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.preprocess import Crop, preprocess_batch
from vjepa_mpc.worldmodel.vjepa.config import VJEPA21, EncoderSetup
from vjepa_mpc.worldmodel.vjepa.encoder import Encoder, VideoEncoder
from vjepa_mpc.worldmodel.vjepa.encoder_21 import Encoder21
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features
from vjepa_mpc.worldmodel.vjepa.weights import StateDict, with_weights


class FrameEncoder:
    """Encodes pictures as control does: each alone, layer-normed.

    A picture is shown to a V-JEPA 2 encoder as a clip of it repeated, as upstream does in control, and to a V-JEPA 2.1
    encoder as an image; ``EncoderSetup.frame_as`` says otherwise.

    Args:
        encoder: is frozen by this.
    """

    def __init__(self, encoder: VideoEncoder) -> None:
        self.encoder = encoder.eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Images uint8 RGB [B, H, W, 3] -> layer-normed latents [B, N, D] on the encoder's device, in its dtype."""
        encoder, config = self.encoder, self.encoder.config
        pixels = preprocess_batch(torch.as_tensor(images).to(encoder.device), config.img_size, crop).to(encoder.dtype)
        clips = pixels[:, :, None].expand(-1, -1, config.frames_per_picture, -1, -1)
        return layer_norm_features(encoder(clips))


def build_encoder(
    config: Mapping[str, Any] | EncoderSetup,
    state: StateDict | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VideoEncoder:
    """A video encoder from a config and a state dict with upstream's key names.

    Args:
        config: img_size, encoder {embed_dim, depth, num_heads, mlp_ratio}; optional are family (``vjepa2``, the
            default, or ``vjepa2.1``), patch_size, tubelet_size, frame_as and dense. See :class:`EncoderSetup`.
        state: its weights; None for random ones.
        device: where it will live.
        dtype: of the weights.

    Returns:
        A module: normalised clip [B, 3, T, H, W] -> tokens [B, N, D]. T = 1, an image, is for ``vjepa2.1`` only.

    Raises:
        ValueError: a weight is missing, unknown, of another shape or not finite; the message names it.
    """
    settings = config if isinstance(config, EncoderSetup) else EncoderSetup.from_dict(config)
    kind: type[VideoEncoder] = Encoder21 if settings.family == VJEPA21 else Encoder
    encoder: VideoEncoder = with_weights(lambda: kind(settings), state, "encoder", device, dtype)
    return encoder
