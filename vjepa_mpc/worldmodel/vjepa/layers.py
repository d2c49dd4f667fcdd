"""The pre-norm transformer block that the encoder and the predictor share (upstream ``modules.py``)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.kernels import attention, linear, linear_gelu
from vjepa_mpc.worldmodel.vjepa.rope import RopeTable, rotate

LAYER_NORM_EPS = 1e-6


def layer_norm_features(latent: Tensor) -> Tensor:
    """Normalise each token over its features, without scale or shift: how latents are kept and compared."""
    return F.layer_norm(latent, (latent.shape[-1],))


class Attention(nn.Module):
    """Multi-head attention with rotary positions; one matrix product makes queries, keys and values."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def rotated_qkv(self, x: Tensor, rope: RopeTable) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys (both rotated) and values of the tokens x [B, M, D], each [B, heads, M, head_dim]."""
        qkv = linear(x, self.qkv).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        # The tables are float32; attention needs q, k and v in one dtype, so cast after the rotation, not before.
        q, k = rotate(qkv[:2], rope).to(qkv.dtype)
        return q, k, qkv[2]

    def merge_heads(self, attended: Tensor) -> Tensor:
        """[B, heads, M, head_dim] -> [B, M, D], projected."""
        return linear(attended.transpose(1, 2).flatten(-2), self.proj)

    def forward(self, x: Tensor, rope: RopeTable, attn_mask: Tensor | None = None) -> Tensor:
        """[B, M, D] -> [B, M, D]; ``attn_mask`` [M, M] is true where a row's token may see a column's."""
        q, k, v = self.rotated_qkv(x, rope)
        return self.merge_heads(attention(q, k, v, attn_mask))


class MLP(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return linear(linear_gelu(x, self.fc1), self.fc2)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = MLP(dim, int(dim * mlp_ratio + 1e-6))  # 1408 * (48 / 11) must give 6144 in floating point as well

    def forward(self, x: Tensor, rope: RopeTable, attn_mask: Tensor | None = None) -> Tensor:
        """[B, M, D] -> [B, M, D]; see :class:`Attention`."""
        x = x + self.attn(self.norm1(x), rope, attn_mask)
        return x + self.mlp(self.norm2(x))


def initialise_weights(model: nn.Module, blocks: nn.ModuleList, std: float = 0.02) -> None:
    """Truncated-normal weights, zero biases, residual branches scaled down with depth, as upstream trains from."""
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv3d)):
            nn.init.trunc_normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for depth, block in enumerate(blocks, start=1):
        assert isinstance(block, Block)
        block.attn.proj.weight.data.div_((2.0 * depth) ** 0.5)
        block.mlp.fc2.weight.data.div_((2.0 * depth) ** 0.5)
