"""The V-JEPA 2 video encoder (upstream ``vision_transformer.py`` with ``use_rope``)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.config import ModelConfig
from vjepa_mpc.worldmodel.vjepa.layers import LAYER_NORM_EPS, Block, initialise_weights
from vjepa_mpc.worldmodel.vjepa.rope import RopeTable, grid_positions, rope_table


class PatchEmbed(nn.Module):
    """Tubelets of ``tubelet_size`` frames by ``patch_size``² pixels to tokens."""

    def __init__(self, patch_size: int, tubelet_size: int, embed_dim: int) -> None:
        super().__init__()
        kernel = (tubelet_size, patch_size, patch_size)
        self.proj = nn.Conv3d(3, embed_dim, kernel_size=kernel, stride=kernel)

    def forward(self, clip: Tensor) -> Tensor:
        """[B, 3, T, H, W] -> [B, tokens, D]."""
        return self.proj(clip).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    """Video to patch latents: [B, 3, T, H, W] normalised float -> [B, T/tubelet * H/patch * W/patch, D].

    The weights are frozen in use; training code may still differentiate through it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes = config.encoder
        self.patch_size, self.tubelet_size = config.patch_size, config.tubelet_size
        self.head_dim = sizes.embed_dim // sizes.num_heads
        self.patch_embed = PatchEmbed(config.patch_size, config.tubelet_size, sizes.embed_dim)
        self.blocks = nn.ModuleList(
            Block(sizes.embed_dim, sizes.num_heads, sizes.mlp_ratio) for _ in range(sizes.depth)
        )
        self.norm = nn.LayerNorm(sizes.embed_dim, eps=LAYER_NORM_EPS)
        self._rope_tables: dict[tuple[int, int, int, torch.device], RopeTable] = {}
        if self.norm.weight.device.type != "meta":
            initialise_weights(self, self.blocks)

    def _rope(self, frames: int, height: int, width: int, device: torch.device) -> RopeTable:
        key = (frames, height, width, device)
        if key not in self._rope_tables:
            self._rope_tables[key] = rope_table(grid_positions(frames, height, width).to(device), self.head_dim)
        return self._rope_tables[key]

    def forward(self, clip: Tensor) -> Tensor:
        """[B, 3, T, H, W] normalised float -> [B, tokens, D]; see the class."""
        frames, height, width = (
            clip.shape[2] // self.tubelet_size,
            *(size // self.patch_size for size in clip.shape[3:]),
        )
        rope = self._rope(frames, height, width, clip.device)
        x = self.patch_embed(clip)
        for block in self.blocks:
            x = block(x, rope)
        return self.norm(x)
