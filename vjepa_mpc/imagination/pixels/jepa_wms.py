"""The pixel decoder that jepa-wms publishes for V-JEPA 2 ViT-g, read from a copy that a user has; none is shipped.

Source: the public repository ``facebookresearch/jepa-wms`` (CC-BY-NC), ``app/plan_common/models/{decoder,modules}.py``
and ``heads_cfg`` in its configurations. The file is a torch checkpoint whose entry ``model`` holds ``decoder_embed``,
``decoder_pos_embed``, ``decoder_blocks.N``, ``decoder_norm``, ``decoder_proj``, ``view_tokens``. Its places are finer
than the encoder's tokens, between which it interpolates. Colours are normalised as ImageNet's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.weights import StateDict, with_weights

_HEAD_DIM = 64  # of the published one; weights do not show it
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def weights_in(entries: Mapping[str, object]) -> StateDict | None:
    """The decoder's weights among a checkpoint's entries; None where there are none."""
    model = entries.get("model")
    if not isinstance(model, Mapping):
        return None
    state = {re.sub(r"^(module\.)+", "", key): value for key, value in model.items() if isinstance(value, Tensor)}
    return state if {"decoder_embed.weight", "decoder_proj.weight", "decoder_pos_embed"} <= state.keys() else None


def build(state: StateDict) -> JepaWmsNetwork:
    """The network that weights are of.

    Raises:
        ValueError: they are not whole, of another architecture, or not finite.
    """
    return with_weights(lambda: JepaWmsNetwork(state), state, "pixel decoder", "cpu", torch.float32)


class JepaWmsNetwork(nn.Module):
    """A vision transformer from latents to pixels, with sizes as its weights have them.

    Attributes:
        latent_dim: D, the features of a token.
        side: of the picture, in pixels.
    """

    def __init__(self, state: StateDict) -> None:
        super().__init__()
        width, self.latent_dim = state["decoder_embed.weight"].shape
        places = state["decoder_pos_embed"].shape[1]
        depth = 1 + max((int(key.split(".")[1]) for key in state if key.startswith("decoder_blocks.")), default=-1)
        self.grid, self.patch = math.isqrt(places), math.isqrt(state["decoder_proj.weight"].shape[0] // 3)
        self.side = self.grid * self.patch
        hidden = state["decoder_blocks.0.mlp.fc1.weight"].shape[0] if depth else width
        self.decoder_embed = nn.Linear(self.latent_dim, width)
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, places, width))
        self.view_tokens = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_blocks = nn.ModuleList(_Block(width, hidden) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width)
        self.decoder_proj = nn.Linear(width, 3 * self.patch**2)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents [B, N, D] -> colours [B, 3, side, side], 0 to 1."""
        grid = math.isqrt(latents.shape[1])
        tokens = latents.to(self.decoder_embed.weight.dtype).transpose(1, 2).unflatten(2, (grid, grid))
        if grid != self.grid:
            tokens = F.interpolate(tokens, size=(self.grid, self.grid), mode="bilinear")
        features = self.decoder_embed(tokens.flatten(2).transpose(1, 2)) + self.decoder_pos_embed + self.view_tokens
        for block in self.decoder_blocks:
            features = block(features)
        values = self.decoder_proj(self.decoder_norm(features))
        # A place's values are rows, columns, colours; pixel_shuffle wants the colours first.
        values = values.unflatten(2, (self.patch**2, 3)).transpose(2, 3).flatten(2)
        pixels = F.pixel_shuffle(values.transpose(1, 2).unflatten(2, (self.grid, self.grid)), self.patch)
        mean, std = (pixels.new_tensor(each)[:, None, None] for each in (_MEAN, _STD))
        return pixels * std + mean


class _Block(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = _Attention(width), _Perceptron(width, hidden)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.attn(self.norm1(features))
        return features + self.mlp(self.norm2(features))


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // _HEAD_DIM)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = self.qkv(features).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class _Perceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(features)))
