"""The V-JEPA 2 video encoder (upstream ``vision_transformer.py`` with ``use_rope``)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.config import EncoderSetup
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


class VideoEncoder(nn.Module):
    """What the encoders of all families have in common.

    Called with a clip [B, 3, T, H, W] (normalised float, RGB), an encoder gives tokens [B, N, D] of ``latent_dim``
    features, time step by time step, each row by row. The weights are frozen in use; training code may still
    differentiate through it.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: EncoderSetup) -> None:
        super().__init__()
        sizes = config.encoder
        self.config = config
        self.patch_size, self.tubelet_size = config.patch_size, config.tubelet_size
        self.head_dim = sizes.embed_dim // sizes.num_heads
        self.patch_embed = PatchEmbed(config.patch_size, config.tubelet_size, sizes.embed_dim)
        self.blocks = nn.ModuleList(
            Block(sizes.embed_dim, sizes.num_heads, sizes.mlp_ratio) for _ in range(sizes.depth)
        )
        self._rope_tables: dict[tuple[int, int, int, torch.device], RopeTable] = {}

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.patch_embed.proj.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.patch_embed.proj.weight.dtype

    def _rope(self, clip: Tensor, tubelet_size: int) -> RopeTable:
        """Rotary factors of a clip's tokens; made once for each size."""
        frames, height, width = (
            clip.shape[2] // tubelet_size,
            *(size // self.patch_size for size in clip.shape[3:]),
        )
        if clip.ndim != 5 or min(frames, height, width) < 1:
            raise ValueError(
                f"clip {list(clip.shape)}: expected [batch, 3, frames, height, width] with at least {tubelet_size} "
                f"frames and {self.patch_size} pixels a side"
            )
        key = (frames, height, width, clip.device)
        if key not in self._rope_tables:
            positions = grid_positions(frames, height, width).to(clip.device)
            self._rope_tables[key] = self._make_rope(positions, height, width)
        return self._rope_tables[key]

    def _make_rope(self, positions: Tensor, height: int, width: int) -> RopeTable:
        """Rotary factors of tokens at positions [N, 3] (time, row, column) in a grid of so many rows and columns."""
        raise NotImplementedError


class Encoder(VideoEncoder):
    """Video to patch latents: [B, 3, T, H, W] normalised float -> [B, T/tubelet * H/patch * W/patch, D]."""

    def __init__(self, config: EncoderSetup) -> None:
        super().__init__(config)
        self.norm = nn.LayerNorm(config.encoder.embed_dim, eps=LAYER_NORM_EPS)
        if self.norm.weight.device.type != "meta":
            initialise_weights(self, self.blocks)

    def _make_rope(self, positions: Tensor, height: int, width: int) -> RopeTable:
        return rope_table(positions, self.head_dim)

    def forward(self, clip: Tensor) -> Tensor:
        """[B, 3, T, H, W] normalised float -> [B, tokens, D]; see the class."""
        rope = self._rope(clip, self.tubelet_size)
        x = self.patch_embed(clip)
        for block in self.blocks:
            x = block(x, rope)
        return self.norm(x)
