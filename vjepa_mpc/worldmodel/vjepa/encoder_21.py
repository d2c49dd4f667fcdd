"""The V-JEPA 2.1 video encoder (upstream ``app/vjepa_2_1/models/vision_transformer.py``, arXiv 2603.14482).

What differs from V-JEPA 2: rotary frequencies are interleaved, positions in the picture are scaled to the range of
256 px, four layers have a norm each instead of one at the end, a learned vector tells clips and images apart, and a
clip of one frame is an image with patches of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.config import NORMED_LAYERS, EncoderSetup
from vjepa_mpc.worldmodel.vjepa.encoder import PatchEmbed, VideoEncoder
from vjepa_mpc.worldmodel.vjepa.layers import LAYER_NORM_EPS, initialise_weights
from vjepa_mpc.worldmodel.vjepa.rope import RopeTable, rope_table

# Pixels along a side of the pictures whose positions are not scaled.
_UNSCALED = 256


class Encoder21(VideoEncoder):
    """Video or images to patch latents: [B, 3, T, H, W] normalised float -> [B, T/tubelet * H/patch * W/patch, D].

    T = 1 is an image: [B, H/patch * W/patch, D]. With ``config.dense`` the latents of four layers stand side by side,
    first to last, in 4 D features.
    """

    def __init__(self, config: EncoderSetup) -> None:
        super().__init__(config)
        dim = config.encoder.embed_dim
        self.patch_embed_img = PatchEmbed(config.patch_size, 1, dim)
        self.img_mod_embed = nn.Parameter(torch.zeros(1, 1, dim))
        self.video_mod_embed = nn.Parameter(torch.zeros(1, 1, dim))
        self.normed_layers = NORMED_LAYERS[config.encoder.depth]
        self.norms_block = nn.ModuleList(nn.LayerNorm(dim, eps=LAYER_NORM_EPS) for _ in self.normed_layers)
        self.dense = config.dense
        if self.img_mod_embed.device.type != "meta":
            initialise_weights(self, self.blocks)

    def _make_rope(self, positions: Tensor, height: int, width: int) -> RopeTable:
        last = _UNSCALED // self.patch_size - 1
        scaled = positions.float()
        for axis, patches in ((1, height), (2, width)):
            scaled[:, axis] = scaled[:, axis] * last / max(patches - 1, 1)
        return rope_table(scaled, self.head_dim, interleaved=True)

    def forward(self, clip: Tensor) -> Tensor:
        """[B, 3, T, H, W] normalised float -> [B, tokens, D]; see the class."""
        image = clip.shape[2] == 1
        patches, kind = (
            (self.patch_embed_img, self.img_mod_embed) if image else (self.patch_embed, self.video_mod_embed)
        )
        rope = self._rope(clip, 1 if image else self.tubelet_size)
        x = patches(clip) + kind
        layers: list[Tensor] = []
        for layer, block in enumerate(self.blocks):
            x = block(x, rope)
            if self.dense and layer in self.normed_layers:
                layers.append(self.norms_block[len(layers)](x))
        return torch.cat(layers, dim=-1) if self.dense else self.norms_block[-1](x)
