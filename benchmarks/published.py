"""The packaged original, driven the way the published planner drives it (upstream ``mpc_utils.cem``).

Needs Meta's V-JEPA 2 as a package: ``pip install --no-deps cc-vjepa2==0.0.3``.
"""

from __future__ import annotations

import importlib
import sys
import types
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.worldmodel import Encoder, ModelConfig, Predictor


def published_predictor(ours: Predictor, config: ModelConfig, steps: int) -> nn.Module:
    """The original predictor with our weights, for sequences of up to ``steps`` time steps.

    Raises:
        ImportError: the package is not installed.
    """
    sizes, weight = config.predictor, ours.predictor_norm.weight
    original = import_original().vit_ac_predictor(
        img_size=(config.img_size, config.img_size),
        patch_size=config.patch_size,
        num_frames=steps * config.tubelet_size,
        tubelet_size=config.tubelet_size,
        embed_dim=sizes.embed_dim,
        predictor_embed_dim=sizes.predictor_embed_dim,
        depth=sizes.depth,
        num_heads=sizes.num_heads,
    )
    original.load_state_dict(ours.state_dict(), strict=False)
    return original.to(weight.device, weight.dtype).eval()


def published_encoder(ours: Encoder, config: ModelConfig, frames: int) -> nn.Module:
    """The original encoder with our weights, for clips of so many frames.

    Raises:
        ImportError: the package is not installed.
    """
    sizes, weight = config.encoder, ours.norm.weight
    original = import_original("vision_transformer").VisionTransformer(
        img_size=(config.img_size, config.img_size),
        patch_size=config.patch_size,
        num_frames=frames,
        tubelet_size=config.tubelet_size,
        embed_dim=sizes.embed_dim,
        depth=sizes.depth,
        num_heads=sizes.num_heads,
        mlp_ratio=sizes.mlp_ratio,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rope=True,
    )
    original.load_state_dict(ours.state_dict(), strict=False)
    return original.to(weight.device, weight.dtype).eval()


@torch.no_grad()
def published_rollout(predictor: nn.Module, context: Tensor, pose: Tensor, actions: Tensor) -> list[Tensor]:
    """Predicted latents [S, N, D] of each step of the actions [H, S, 7] from a context [N, D] at a pose [7].

    At each step the whole sequence so far goes through the predictor, and poses are integrated on the CPU.
    """
    samples, tokens = actions.shape[1], context.shape[0]
    frames, poses = context.repeat(samples, 1, 1), pose.repeat(samples, 1, 1)
    taken, predictions = None, []
    for action in actions:
        taken = action[:, None] if taken is None else torch.cat([taken, action[:, None]], dim=1)
        predicted = predictor(frames, taken, poses)[:, -tokens:]
        predicted = F.layer_norm(predicted, (predicted.size(-1),))
        frames = torch.cat([frames, predicted], dim=1)
        poses = torch.cat([poses, next_poses(poses[:, -1], action)[:, None]], dim=1)
        predictions.append(predicted)
    return predictions


@torch.no_grad()
def published_plan(
    predictor: nn.Module,
    context: Tensor,
    pose: Tensor,
    goal: Tensor,
    config: CEMConfig,
    noise: Tensor | None = None,
) -> Tensor:
    """The planned xyz and gripper actions [H, 4], without pinned axes: what the published planner computes.

    ``noise`` [iterations, H, S, 4] are standard normal numbers to use instead of drawing them.
    """
    steps, samples = config.rollout, config.samples
    bound = torch.tensor([config.maxnorm] * 3 + [0.75], device=context.device)
    keep_mean = torch.tensor([config.momentum_mean] * 3 + [config.momentum_mean_gripper], device=context.device)
    keep_std = torch.tensor([config.momentum_std] * 3 + [config.momentum_std_gripper], device=context.device)
    mean, std = torch.zeros(steps, 4, device=context.device), torch.ones(steps, 4, device=context.device)
    std[:, :3] = config.maxnorm
    for iteration in range(config.cem_steps):
        if noise is None:
            normal = torch.randn(samples, steps, 4, device=context.device)
        else:
            normal = noise[iteration].transpose(0, 1)
        drawn = (mean + std * normal).clamp(-bound, bound)
        actions = torch.zeros(steps, samples, 7, device=context.device)
        actions[..., [0, 1, 2, 6]] = drawn.transpose(0, 1)
        last = published_rollout(predictor, context, pose, actions)[-1]
        energies = (last.flatten(1) - goal.repeat(samples, 1, 1).flatten(1)).abs().mean(dim=-1)
        elites = drawn[energies.topk(config.topk, largest=False).indices]
        mean = elites.mean(dim=0) * (1 - keep_mean) + mean * keep_mean
        std = elites.std(dim=0) * (1 - keep_std) + std * keep_std
        mean.sum().item()  # it logs every iteration, which waits for the device
    return mean


def next_poses(poses: Tensor, actions: Tensor) -> Tensor:
    """Poses [S, 7] that actions [S, 7] lead to, one by one in SciPy, as published."""
    start, step = poses.cpu().double().numpy(), actions.cpu().double().numpy()
    angles = []
    for before, turn in zip(start[:, 3:6], step[:, 3:6], strict=True):
        matrix = Rotation.from_euler("xyz", turn).as_matrix() @ Rotation.from_euler("xyz", before).as_matrix()
        angles.append(torch.from_numpy(Rotation.from_matrix(matrix).as_euler("xyz")))
    position = torch.from_numpy(start[:, :3] + step[:, :3])
    closedness = torch.from_numpy(start[:, 6:] + step[:, 6:]).clamp(0, 1)
    return torch.cat([position, torch.stack(angles), closedness], dim=1).to(poses)


def import_original(module: str = "ac_predictor") -> Any:
    """A module of the original: its predictors, if nothing else is said.

    Raises:
        ImportError: the package is not installed; the message has the command.
    """
    try:
        import timm.models.layers  # noqa: F401
    except (ImportError, RuntimeError):
        # The original takes one function from timm, and only calls it in training with stochastic depth. Importing
        # timm fails where its torchvision does not match a CPU build of PyTorch.
        layers = types.ModuleType("timm.models.layers")
        layers.drop_path = None  # type: ignore[attr-defined]
        sys.modules.update({name: types.ModuleType(name) for name in ("timm", "timm.models")})
        sys.modules["timm.models.layers"] = layers
    try:
        return importlib.import_module(f"vjepa2.models.{module}")
    except ImportError as error:
        raise ImportError(
            f"{error}: the comparison needs the original: run "
            f"`{sys.executable} -m pip install --no-deps cc-vjepa2==0.0.3`"
        ) from error
