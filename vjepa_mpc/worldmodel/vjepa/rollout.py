"""Rolling candidate action sequences out in latent space, computing nothing twice.

Attention is block-causal over time steps, so the keys and values of earlier steps never change: they are cached, and
each new step queries them without a mask. All candidates start from the same frames: the history up to the newest one
is computed once, and of the newest one everything that comes before the action is mixed in (that is, the first
attention layer but for the action's own token). All of this is exact; only the order of summation differs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa_mpc.geometry.pose import next_pose
from vjepa_mpc.worldmodel.vjepa.kernels import attention, linear
from vjepa_mpc.worldmodel.vjepa.layers import Block, layer_norm_features
from vjepa_mpc.worldmodel.vjepa.predictor import CONDITION_TOKENS, Predictor
from vjepa_mpc.worldmodel.vjepa.rope import RopeTable


class LatentRollout:
    """A rollout through the V-JEPA 2-AC predictor with a key/value cache whose size never changes.

    It is a :class:`~vjepa_mpc.worldmodel.interface.Rollout`. Predictions can be differentiated by actions that require
    a gradient; each step then copies its cache.

    Args:
        predictor: the frozen predictor.
        context: [T, N, D] layer-normed latents of the observed frames, oldest first.
        poses: [T, 7] measured poses at those frames.
        past_actions: [T - 1, 7] actions that led from each observed frame to the next.
        samples: the most candidates that one ``step`` may carry.
        horizon: the most steps between two resets.
    """

    def __init__(
        self, predictor: Predictor, context: Tensor, poses: Tensor, past_actions: Tensor, samples: int, horizon: int
    ) -> None:
        self._predictor = predictor
        self._samples, self._horizon = samples, horizon
        self._observed = len(context) - 1
        self._ropes = [predictor.step_rope(step, context.device) for step in range(self._observed + horizon)]
        self._pose_now = poses[-1:]
        history = self._encode_history(context[:-1], poses[:-1], past_actions)
        self._first_layer = _SharedFirstLayer(
            predictor, context[-1:], self._pose_now, self._ropes[self._observed], history[0] if history else None
        )
        self._allocated = self._allocate_caches(history, context)
        self.reset()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """What the sizes of the next step's tensors depend on: room for candidates, horizon, steps seen and taken."""
        return self._samples, self._horizon, self._observed, self._steps_taken

    def reset(self) -> None:
        """See :class:`~vjepa_mpc.worldmodel.interface.Rollout`."""
        self._caches = list(self._allocated)
        self._steps_taken = 0
        self._latent: Tensor | None = None
        self._action: Tensor | None = None
        self._pose = self._pose_now

    def step(self, actions: Tensor) -> Tensor:
        """See :class:`~vjepa_mpc.worldmodel.interface.Rollout`.

        Raises:
            ValueError: more candidates or more steps than the rollout was started for.
        """
        if len(actions) > self._samples or self._steps_taken >= self._horizon:
            raise ValueError(
                f"step {self._steps_taken + 1} with {len(actions)} candidates: this rollout was started for "
                f"{self._horizon} steps of at most {self._samples} candidates"
            )
        blocks = self._predictor.blocks
        if self._latent is None or self._action is None:
            x, action_key, action_value = self._first_layer(actions)
            self._remember(0, action_key, action_value)
            first_block = 1
        else:
            self._pose = next_pose(self._pose.expand(len(self._action), -1), self._action)
            x, first_block = self._predictor.embed_step(self._latent, actions, self._pose), 0
        for layer in range(first_block, len(blocks)):
            x = self._block(layer, blocks[layer], x, patches_only=layer == len(blocks) - 1)
        patches = x[:, -self._predictor.tokens_per_frame :]
        self._action, self._steps_taken = actions, self._steps_taken + 1
        predicted = linear(self._predictor.predictor_norm(patches), self._predictor.predictor_proj)
        self._latent = layer_norm_features(predicted)
        return self._latent

    def _block(self, layer: int, block: Block, x: Tensor, patches_only: bool) -> Tensor:
        q, k, v = block.attn.rotated_qkv(block.norm1(x), self._ropes[self._observed + self._steps_taken])
        k, v = self._remember(layer, k, v)
        if patches_only:  # what the last layer would do to the action and state tokens is read by nobody
            x, q = x[:, CONDITION_TOKENS:], q[:, :, CONDITION_TOKENS:]
        x = x + block.attn.merge_heads(attention(q, k, v))
        return x + block.mlp(block.norm2(x))

    def _remember(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values [S, heads, first tokens of this step, head_dim]; return those of all steps so far."""
        cache = self._caches[layer]
        if cache is None:
            return keys, values
        if keys.requires_grad:  # what a derivative was recorded from must stay as it is
            cache = self._caches[layer] = (cache[0][: len(keys)].clone(), cache[1][: len(values)].clone())
        start = (self._observed + self._steps_taken) * self._predictor.tokens_per_step
        for stored, new in zip(cache, (keys, values), strict=True):
            stored[: len(new), :, start : start + new.shape[2]] = new
        end = start + self._predictor.tokens_per_step
        return cache[0][: len(keys), :, :end], cache[1][: len(values), :, :end]

    def _allocate_caches(
        self, history: list[tuple[Tensor, Tensor]], like: Tensor
    ) -> list[tuple[Tensor, Tensor] | None]:
        steps = self._observed + self._horizon
        if steps == 1:  # a single step attends to itself alone: nothing to remember
            return [None] * len(self._predictor.blocks)
        predictor = self._predictor
        shape = (self._samples, predictor.num_heads, steps * predictor.tokens_per_step, predictor.head_dim)
        caches = [(like.new_empty(shape), like.new_empty(shape)) for _ in predictor.blocks]
        for cache, past in zip(caches, history, strict=bool(history)):
            for stored, shared in zip(cache, past, strict=True):
                stored[:, :, : shared.shape[2]] = shared
        now = slice(self._observed * predictor.tokens_per_step + 1, (self._observed + 1) * predictor.tokens_per_step)
        for stored, shared in zip(caches[0], self._first_layer.own_keys_and_values, strict=True):
            stored[:, :, now] = shared
        return list(caches)

    def _encode_history(self, context: Tensor, poses: Tensor, actions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values [1, heads, T * M, head_dim] of each layer for the frames before the newest one."""
        if not len(context):
            return []
        x = self._predictor.embed_sequence(context.flatten(0, 1)[None], actions[None], poses[None])
        rope, mask = self._predictor.rope_and_mask(len(context), context.device)
        history = []
        for block in self._predictor.blocks:
            q, k, v = block.attn.rotated_qkv(block.norm1(x), rope)
            history.append((k, v))
            x = x + block.attn.merge_heads(attention(q, k, v, mask))
            x = x + block.mlp(block.norm2(x))
        return history


class _SharedFirstLayer:
    """The first block at the observed frame, where candidates differ in one token only: the action's.

    What the other tokens (state and patches) attend to among themselves is the same for all candidates and computed
    once, together with its softmax normaliser; mixing in the action's key and value is then a weighted mean:
    softmax over [shared, action] = (1 - w) * softmax over shared + w * action, w = sigmoid(score - log normaliser).
    """

    def __init__(
        self,
        predictor: Predictor,
        frame: Tensor,
        pose: Tensor,
        rope: RopeTable,
        history: tuple[Tensor, Tensor] | None,
    ) -> None:
        self._predictor = predictor
        self._block = predictor.blocks[0]
        tokens = predictor.embed_step(frame, pose.new_zeros(1, pose.shape[-1]), pose)
        self._tokens = tokens[:, 1:]  # without the action's
        self._action_rope, shared_rope = rope.select(slice(1)), rope.select(slice(1, None))
        q, *self.own_keys_and_values = self._block.attn.rotated_qkv(self._block.norm1(self._tokens), shared_rope)
        parts = [history, self.own_keys_and_values] if history else [self.own_keys_and_values]
        keys, values = (torch.cat(tensors, dim=2)[0].float() for tensors in zip(*parts, strict=True))
        self._scale = q.shape[-1] ** -0.5
        self._queries, self._keys, self._values = q[0].float(), keys, values  # each [heads, tokens, head_dim]
        scores = self._queries @ keys.mT * self._scale
        self._log_normaliser = scores.logsumexp(dim=-1)
        self._attended = scores.softmax(dim=-1) @ values

    def __call__(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Actions [S, 7] -> tokens after the block [S, M, W], and the action token's key and value [S, heads, 1, .]."""
        block = self._block
        action_tokens = self._predictor.encode_action(actions)[:, None].to(self._tokens.dtype)
        query, key, value = block.attn.rotated_qkv(block.norm1(action_tokens), self._action_rope)
        action_attends = self._attend(query.float(), key.float(), value.float())
        others_attend = self._mix_in(key.float(), value.float())
        attended = torch.cat([action_attends, others_attend], dim=2).to(value.dtype)
        x = torch.cat([action_tokens, self._tokens.expand(len(actions), -1, -1)], dim=1)
        x = x + block.attn.merge_heads(attended)
        return x + block.mlp(block.norm2(x)), key, value

    def _mix_in(self, key: Tensor, value: Tensor) -> Tensor:
        """What the shared tokens attend to once the action's key and value [S, heads, 1, head_dim] are there."""
        score = torch.einsum("hmd,shd->shm", self._queries, key[:, :, 0]) * self._scale
        weight = torch.sigmoid(score - self._log_normaliser)[..., None]
        return torch.lerp(self._attended, value, weight)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What the action token attends to: the shared tokens and itself."""
        shared, own = query @ self._keys.mT, (query * key).sum(-1, keepdim=True)
        weights = (torch.cat([shared, own], dim=-1) * self._scale).softmax(dim=-1)
        return weights[..., :-1] @ self._values + weights[..., -1:] * value
