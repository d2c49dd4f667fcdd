"""Checks of what goes into a plan and of what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.planning.actions import ACTION_DIM, SEARCH_DIM
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.worldmodel.interface import WorldModel


class NotFiniteError(ValueError):
    """A number that went into a plan, or an energy that came out of it, is NaN or infinite; the message says which."""


def as_tensor(what: str, value: object) -> Tensor:
    """A tensor as it is, or a NumPy array as a float32 tensor.

    Raises:
        TypeError: it is neither, or holds something else than numbers; the message begins with ``what`` it is.
    """
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise TypeError(f"{what} is {found}: give a tensor, or a NumPy array of numbers")
    return torch.from_numpy(value.astype(np.float32))


def check_shapes(
    config: CEMConfig,
    model: WorldModel,
    context: Tensor,
    pose: Tensor,
    goal: Tensor,
    noise: Tensor | None,
    proposals: Tensor | None,
) -> None:
    """Refuse inputs of the wrong shape.

    Raises:
        ValueError: with the shape that was found and the one that is expected.
    """
    expected = (model.tokens_per_frame, model.embed_dim)
    if tuple(goal.shape) != expected:
        raise ValueError(f"goal latent is {list(goal.shape)}: expected {list(expected)} (encode one goal image)")
    if context.ndim not in (2, 3) or tuple(context.shape[-2:]) != expected:
        raise ValueError(
            f"context latent is {list(context.shape)}: expected {list(expected)} (encode one image), or one such "
            "latent per observed frame"
        )
    if tuple(pose.shape) != (*context.shape[:-2], ACTION_DIM):
        raise ValueError(
            f"pose is {list(pose.shape)}: expected [{ACTION_DIM}], or one such pose per observed frame; the context is "
            f"{list(context.shape)}"
        )
    noise_shape = (config.cem_steps, config.rollout, config.samples, SEARCH_DIM)
    if noise is not None and tuple(noise.shape) != noise_shape:
        raise ValueError(f"noise is {list(noise.shape)}: expected [iterations, H, S, 4] = {list(noise_shape)}")
    if proposals is None:
        return
    if proposals.ndim != 3 or proposals.shape[1] < 1 or proposals.shape[2] != ACTION_DIM:
        raise ValueError(f"proposals are {list(proposals.shape)}: expected [P, H, {ACTION_DIM}]")
    if not torch.isfinite(proposals).all() or proposals[..., 3:6].any():
        raise ValueError("proposals must be finite and their rotations (entries 3 to 5) zero: none are planned")


def check_finite(tensors: Mapping[str, Tensor | None], device: torch.device) -> None:
    """Refuse tensors with a number that is not finite; waits for the device once.

    Raises:
        NotFiniteError: with their names.
    """
    given = {name: value for name, value in tensors.items() if value is not None}
    finite = torch.stack([value.isfinite().all().to(device) for value in given.values()]).tolist()
    bad = [name for name, good in zip(given, finite, strict=True) if not good]
    if bad:
        raise NotFiniteError(
            f"{' and '.join(bad)} of the plan: not all numbers are finite; check the camera, the measured pose and the "
            "world model's dtype (float16 may be too narrow)"
        )


def check_result(energies: Sequence[float], actions: Tensor, objective: str) -> None:
    """Refuse a plan that no finite energy stands behind.

    Args:
        energies: lowest of each iteration.
        actions: on the CPU.
        objective: its name.

    Raises:
        NotFiniteError: with the objective's name and the energies.
    """
    if all(map(math.isfinite, energies)) and actions.isfinite().all():
        return
    raise NotFiniteError(
        f"the objective {objective} gave no finite energy to any candidate (lowest energies by iteration: "
        f"{', '.join(f'{energy:.4g}' for energy in energies)}): check the objective and the world model's dtype"
    )
