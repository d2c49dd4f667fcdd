"""The V-JEPA 2-AC action-conditioned predictor (upstream ``ac_predictor.py``)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from vjepa_mpc.worldmodel.vjepa.config import ModelConfig
from vjepa_mpc.worldmodel.vjepa.kernels import linear
from vjepa_mpc.worldmodel.vjepa.layers import LAYER_NORM_EPS, Block, initialise_weights
from vjepa_mpc.worldmodel.vjepa.rope import RopeTable, grid_positions, rope_table

ACTION_DIM = 7
# In half precision a metre has steps of millimetres: what reads actions and poses is float32 in any model and file.
EXACT_LAYERS = ("action_encoder.", "state_encoder.")
CONDITION_TOKENS = 2  # the action's and the state's token lead each time step


class Predictor(nn.Module):
    """What the next frame's latent will be, for every time step of the input.

    Inputs x [B, T*N, D] (latents of T frames), actions [B, T, 7], states [B, T, 7]; output [B, T*N, D]: the raw
    patches (not layer-normed) of which step t predicts frame t + 1. Actions and states, float32, are those of
    :mod:`vjepa_mpc.geometry.pose`. Everything inside a step sees everything of that
    step and of earlier steps (block-causal attention).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes = config.predictor
        width = sizes.predictor_embed_dim
        self.grid_size, self.tokens_per_frame = config.grid_size, config.tokens_per_frame
        self.tokens_per_step = config.tokens_per_frame + CONDITION_TOKENS
        self.num_heads, self.head_dim = sizes.num_heads, width // sizes.num_heads
        self.predictor_embed = nn.Linear(sizes.embed_dim, width)
        self.action_encoder = nn.Linear(ACTION_DIM, width)
        self.state_encoder = nn.Linear(ACTION_DIM, width)
        # Part of every published checkpoint and used by none of them: kept so that their keys match one to one.
        self.extrinsics_encoder = nn.Linear(ACTION_DIM - 1, width)
        self.predictor_blocks = nn.ModuleList(
            Block(width, sizes.num_heads, sizes.mlp_ratio) for _ in range(sizes.depth)
        )
        self.predictor_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.predictor_proj = nn.Linear(width, sizes.embed_dim)
        self._step_ropes: dict[tuple[int, torch.device], RopeTable] = {}
        self._tables: dict[tuple[int, torch.device], tuple[RopeTable, Tensor | None]] = {}
        if self.predictor_norm.weight.device.type != "meta":
            initialise_weights(self, self.predictor_blocks)

    def step_rope(self, step: int, device: torch.device) -> RopeTable:
        """Rotary factors of the tokens (action, state, patches) of a time step; made once."""
        key = (step, device)
        if key not in self._step_ropes:
            condition = rope_table(torch.full((CONDITION_TOKENS, 1), step, device=device), self.head_dim)
            grid = grid_positions(1, self.grid_size, self.grid_size, first_step=step)
            patches = rope_table(grid.to(device), self.head_dim)
            self._step_ropes[key] = RopeTable.joined([condition, patches])
        return self._step_ropes[key]

    def rope_and_mask(self, steps: int, device: torch.device) -> tuple[RopeTable, Tensor | None]:
        """Rotary factors and the block-causal mask [tokens, tokens] of a sequence that starts at step 0."""
        key = (steps, device)
        if key not in self._tables:
            step_of_token = torch.arange(steps, device=device).repeat_interleave(self.tokens_per_step)
            # With a single step every token may see every other one, and no mask lets attention take its fast path.
            mask = step_of_token[:, None] >= step_of_token[None, :] if steps > 1 else None
            self._tables[key] = (RopeTable.joined([self.step_rope(step, device) for step in range(steps)]), mask)
        return self._tables[key]

    def encode_action(self, actions: Tensor) -> Tensor:
        """Actions [..., 7] (:class:`Predictor`) -> their tokens' features, in the action encoder's own precision."""
        return self.action_encoder(actions.to(self.action_encoder.weight.dtype))

    def embed_sequence(self, x: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Tokens of all steps: x [B, T*N, D], actions and states [B, T, 7] (:class:`Predictor`) -> [B, T*(N+2), W]."""
        patches = linear(x, self.predictor_embed).unflatten(1, (actions.shape[1], -1))
        # Actions and poses are read in the precision that their encoders were left in (see EXACT_LAYERS); only their
        # tokens are cast.
        action = self.encode_action(actions)[:, :, None].to(patches.dtype)
        state = self.state_encoder(states.to(self.state_encoder.weight.dtype))[:, :, None].to(patches.dtype)
        return torch.cat([action, state, patches], dim=2).flatten(1, 2)

    def embed_step(self, latent: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Tokens of one step: latent [B, N, D], actions and states [B, 7] -> [B, N+2, W]; see :class:`Predictor`."""
        return self.embed_sequence(latent, actions[:, None], states[:, None])

    @property
    def blocks(self) -> list[Block]:
        """The transformer blocks, first to last."""
        return cast("list[Block]", list(self.predictor_blocks))

    def forward(self, x: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """x [B, T*N, D], actions and states [B, T, 7] -> [B, T*N, D]; see :class:`Predictor`."""
        steps = actions.shape[1]
        if x.shape[1] != steps * self.tokens_per_frame:
            raise ValueError(
                f"{x.shape[1]} latent tokens for {steps} actions: expected {self.tokens_per_frame} tokens a step"
            )
        rope, mask = self.rope_and_mask(steps, x.device)
        tokens = self.embed_sequence(x, actions, states)
        for block in self.blocks:
            tokens = block(tokens, rope, mask)
        patches = tokens.unflatten(1, (steps, -1))[:, :, CONDITION_TOKENS:].flatten(1, 2)
        return linear(self.predictor_norm(patches), self.predictor_proj)
