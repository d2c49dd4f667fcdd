"""The world model that planning uses: encode frames to latents, predict what actions do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.interface import Rollout
from vjepa_mpc.worldmodel.preprocess import Crop
from vjepa_mpc.worldmodel.vjepa.config import ModelConfig
from vjepa_mpc.worldmodel.vjepa.encoder import VideoEncoder
from vjepa_mpc.worldmodel.vjepa.frames import FrameEncoder, build_encoder
from vjepa_mpc.worldmodel.vjepa.predictor import EXACT_LAYERS, Predictor
from vjepa_mpc.worldmodel.vjepa.rollout import LatentRollout
from vjepa_mpc.worldmodel.vjepa.weights import StateDict, with_weights


class VJEPAWorldModel:
    """Frozen V-JEPA 2 or 2.1 encoder and V-JEPA 2-AC predictor (arXiv 2506.09985, sections 2 and 3).

    Attributes:
        wrap_rollout: puts something around every rollout that is started, such as
            :func:`~vjepa_mpc.worldmodel.compile_rollouts`; None for nothing.
    """

    def __init__(self, config: ModelConfig, encoder: VideoEncoder, predictor: Predictor) -> None:
        self.config = config
        self.encoder = encoder.eval().requires_grad_(False)
        self.predictor = predictor.eval().requires_grad_(False)
        self.frames = FrameEncoder(self.encoder)
        self.tokens_per_frame = config.tokens_per_frame
        self.embed_dim = config.latent_dim
        self.image_size = config.img_size
        self.device = encoder.device
        self.dtype = encoder.dtype
        self.wrap_rollout: Callable[[LatentRollout], Rollout] | None = None

    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Images uint8 RGB [B, H, W, 3] -> layer-normed latents [B, N, D], each image on its own."""
        return self.frames.encode(images, crop)

    @torch.no_grad()
    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> Rollout:
        """See :meth:`~vjepa_mpc.worldmodel.interface.WorldModel.start_rollout`.

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
        ValueError: a weight is missing, unknown, of another shape or not finite; the message names it.
    """
    settings = config if isinstance(config, ModelConfig) else ModelConfig.from_dict(config)
    encoder = build_encoder(settings, encoder_state, device, dtype)
    predictor = with_weights(
        lambda: Predictor(settings),
        predictor_state,
        "predictor",
        device,
        dtype,
        unused=("extrinsics_encoder.",),
        exact=EXACT_LAYERS,
    )
    return VJEPAWorldModel(settings, encoder, predictor)
