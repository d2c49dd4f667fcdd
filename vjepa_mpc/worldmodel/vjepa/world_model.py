"""The world model that planning uses: encode frames to latents, predict what actions do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.interface import Rollout
from vjepa_mpc.worldmodel.preprocess import Crop, preprocess_batch
from vjepa_mpc.worldmodel.vjepa.config import ModelConfig
from vjepa_mpc.worldmodel.vjepa.encoder import Encoder
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features
from vjepa_mpc.worldmodel.vjepa.predictor import Predictor
from vjepa_mpc.worldmodel.vjepa.rollout import LatentRollout

StateDict = Mapping[str, Tensor]


class VJEPAWorldModel:
    """Frozen V-JEPA 2 encoder and V-JEPA 2-AC predictor (arXiv 2506.09985, sections 2 and 3).

    Attributes:
        wrap_rollout: puts something around every rollout that is started, such as
            :func:`~vjepa_mpc.worldmodel.compile_rollouts`; None for nothing.
    """

    def __init__(self, config: ModelConfig, encoder: Encoder, predictor: Predictor) -> None:
        self.config = config
        self.encoder = encoder.eval().requires_grad_(False)
        self.predictor = predictor.eval().requires_grad_(False)
        self.tokens_per_frame = config.tokens_per_frame
        self.embed_dim = config.encoder.embed_dim
        self.image_size = config.img_size
        self.device = encoder.norm.weight.device
        self.dtype = encoder.norm.weight.dtype
        self.wrap_rollout: Callable[[LatentRollout], Rollout] | None = None

    @torch.no_grad()
    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Images uint8 RGB [B, H, W, 3] -> layer-normed latents [B, N, D].

        As in control upstream, each image is encoded alone, as a clip of the image repeated.
        """
        pixels = preprocess_batch(torch.as_tensor(images).to(self.device), self.image_size, crop).to(self.dtype)
        clips = pixels[:, :, None].expand(-1, -1, self.config.tubelet_size, -1, -1)
        return layer_norm_features(self.encoder(clips))

    @torch.no_grad()
    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> Rollout:
        """See :class:`~vjepa_mpc.worldmodel.interface.WorldModel`.

        Raises:
            ValueError: the shapes do not fit together, or past actions are missing.
        """
        frames, poses = (context, pose) if context.ndim == 3 else (context[None], pose[None])
        actions = pose.new_empty(0, poses.shape[-1]) if past_actions is None else past_actions
        expected = (len(poses), self.tokens_per_frame, self.embed_dim)
        if tuple(frames.shape) != expected or len(actions) != len(poses) - 1:
            raise ValueError(
                f"context {list(frames.shape)} with {len(poses)} poses and {len(actions)} past actions: expected "
                f"latents {list(expected)} and one action between each two frames"
            )
        rollout = LatentRollout(
            self.predictor,
            frames.to(self.device, self.dtype),
            poses.to(self.device, torch.float32),
            actions.to(self.device, torch.float32),
            samples,
            horizon,
        )
        return rollout if self.wrap_rollout is None else self.wrap_rollout(rollout)

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        """Bytes of one candidate: the key/value cache of every layer and the widest block's activations."""
        sizes, tokens = self.config.predictor, self.predictor.tokens_per_step
        width, item = sizes.predictor_embed_dim, torch.finfo(self.dtype).bits // 8
        steps = observed_frames - 1 + horizon
        cache = 2 * sizes.depth * steps * tokens * width * item if steps > 1 else 0
        # Residual stream, q/k/v, their float32 rotations, attention output and both sides of the MLP.
        activations = tokens * width * (item * (1 + 3 + 1 + 2 * sizes.mlp_ratio) + 4 * 4)
        return int(cache + activations)


def build_world_model(
    config: Mapping[str, Any] | ModelConfig,
    encoder_state: StateDict | None = None,
    predictor_state: StateDict | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VJEPAWorldModel:
    """A world model from a config and two state dicts with upstream's key names.

    Without a state dict the part gets random weights. The linear layers that read actions and poses stay float32
    whatever ``dtype`` is: half precision would round a pose in metres to millimetres.

    Raises:
        ValueError: a weight is missing, unknown or of another shape; the message names it.
    """
    settings = config if isinstance(config, ModelConfig) else ModelConfig.from_dict(config)
    encoder = _with_weights(Encoder, settings, encoder_state, "encoder", device, dtype)
    predictor = _with_weights(Predictor, settings, predictor_state, "predictor", device, dtype)
    predictor.action_encoder.float()
    predictor.state_encoder.float()
    return VJEPAWorldModel(settings, encoder, predictor)


def _with_weights(
    part: type, config: ModelConfig, state: StateDict | None, name: str, device: torch.device | str, dtype: torch.dtype
) -> Any:
    if state is None:
        return part(config).to(device, dtype)
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        module = part(config)
    _check_weights(name, {key: value.shape for key, value in module.state_dict().items()}, state)
    weights = {key: _load(key, state[key], device, dtype) for key in module.state_dict() if key in state}
    if name == "predictor":  # unused, and stripped from some published checkpoints
        for key, value in module.extrinsics_encoder.state_dict(prefix="extrinsics_encoder.").items():
            weights.setdefault(key, torch.zeros(value.shape, device=device, dtype=dtype))
    module.load_state_dict(weights, assign=True)
    return module


def _load(key: str, weight: Tensor, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    keeps_float32 = key.startswith(("action_encoder.", "state_encoder."))
    return torch.as_tensor(weight).to(device, torch.float32 if keeps_float32 else dtype)


def _check_weights(name: str, expected: Mapping[str, torch.Size], state: StateDict) -> None:
    missing = [key for key in expected if key not in state and not key.startswith("extrinsics_encoder.")]
    unknown = [key for key in state if key not in expected]
    misshapen = [
        f"{key} is {list(state[key].shape)} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != tuple(shape)
    ]
    if missing or unknown or misshapen:
        details = "; ".join(
            f"{what}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
            for what, keys in (("missing", missing), ("unknown", unknown), ("wrong shape", misshapen))
            if keys
        )
        raise ValueError(f"these weights do not belong to this {name} architecture ({details}); check the config")
