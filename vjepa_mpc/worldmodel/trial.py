"""One small prediction with a world model of somebody's own, before anything depends on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.interface import WorldModel, check_world_model

_SAMPLES, _HORIZON = 2, 2
_POSE = (0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0)  # an arm in front of its base, the hand pointing down


@torch.no_grad()
def try_world_model(model: WorldModel) -> None:
    """Encode two pictures and predict two steps of two candidates: is what comes back as :class:`WorldModel` says?

    Raises:
        TypeError: attributes or methods are missing or of another type, or a method returns something else than it
            should; one message lists all that was found.
    """
    check_world_model(model)
    latents = model.encode(np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8), "square")
    found = _unlike("encode", latents, (2, model.tokens_per_frame, model.embed_dim), model)
    found += _unusable_bytes(model.rollout_bytes(_HORIZON, 1))
    if not found:  # or it would be asked to predict from what it has not promised to understand
        found += _wrong_predictions(model, latents[0])
    if found:
        raise TypeError(
            f"{type(model).__name__} does not keep what a world model promises: {'; '.join(found)}. "
            "See vjepa_mpc.worldmodel.interface.WorldModel"
        )


def _wrong_predictions(model: WorldModel, context: Tensor) -> list[str]:
    """What a rollout does otherwise than it should."""
    pose = torch.tensor(_POSE, dtype=torch.float32, device=model.device)
    actions = torch.zeros(_HORIZON, _SAMPLES, 7, device=model.device)
    actions[..., :3] = torch.tensor([0.05, -0.05], device=model.device)[:, None]
    rollout = model.start_rollout(context, pose, _SAMPLES, _HORIZON)
    missing = [f"{name}()" for name in ("step", "reset") if not callable(getattr(rollout, name, None))]
    if missing:
        return [f"start_rollout() returns a {type(rollout).__name__} that lacks {', '.join(missing)}"]
    first = rollout.step(actions[0])
    found = _unlike("step", first, (_SAMPLES, model.tokens_per_frame, model.embed_dim), model)
    if found:
        return found
    before = first.clone()
    rollout.step(actions[1])
    if not torch.equal(first, before):
        found.append("a second step() changes the latents that the first one returned: return a new tensor each time")
    rollout.reset()
    if not torch.allclose(rollout.step(actions[0]).float(), before.float(), rtol=1e-3, atol=1e-3):
        found.append("after reset() the first step() predicts something else than before")
    return found


def _unlike(method: str, returned: Any, shape: tuple[int, ...], model: WorldModel) -> list[str]:
    """What is wrong with latents that a method returned."""
    if not isinstance(returned, Tensor):
        return [f"{method}() returns a {type(returned).__name__} instead of a torch.Tensor"]
    kinds = (
        ("of shape", list(returned.shape), list(shape)),
        ("in", returned.dtype, model.dtype),
        ("on", returned.device.type, model.device.type),
    )
    found = [
        f"{method}() returns latents {what} {has} instead of {wanted}" for what, has, wanted in kinds if has != wanted
    ]
    if not bool(torch.isfinite(returned).all()):
        found.append(f"{method}() returns numbers that are not finite")
    return found


def _unusable_bytes(returned: Any) -> list[str]:
    if isinstance(returned, int) and returned > 0:
        return []
    return [f"rollout_bytes() returns {returned!r} instead of a positive whole number"]
