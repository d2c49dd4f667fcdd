"""What planning needs of a world model. Write your own by offering these; nothing has to be inherited.

Shape letters: B images, S candidates, T observed frames, H predicted steps, N tokens of a frame, D features of a token.
:class:`~vjepa_mpc.worldmodel.point_mass.PointMassWorldModel` is the smallest example, ``docs/own-world-model.md`` the
guide, and :func:`~vjepa_mpc.worldmodel.trial.try_world_model` says what a model of your own does otherwise.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.worldmodel.preprocess import Crop


class Rollout(Protocol):
    """Many candidates predicted side by side, one time step at a time. Used by one thread."""

    def step(self, actions: Tensor) -> Tensor:
        """Take one action per candidate and predict what is seen after it.

        Args:
            actions: [S, 7] float32 on the model's device, what x, y, z, rx, ry, rz and closedness change by: metres,
                extrinsic xyz Euler radians and closedness in the robot base frame. S is at most the ``samples`` that
                the rollout was started with and stays the same from one reset to the next.

        Returns:
            [S, N, D] latents, comparable with those of :meth:`WorldModel.encode`. Later steps leave them as they are:
            objectives may look at all steps. The optimiser ``gradient`` differentiates them by actions that require a
            gradient.
        """
        ...

    def reset(self) -> None:
        """Go back to the observed context; the next :meth:`step` is the first one again, with the same prediction."""
        ...


class WorldModel(Protocol):
    """Encodes pictures to latents and predicts what actions do to them.

    Attributes:
        tokens_per_frame: N, the latent's tokens of one picture.
        embed_dim: D, the features of a token.
        device: where latents are made and predicted.
        dtype: of the latents.
    """

    tokens_per_frame: int
    embed_dim: int
    device: torch.device
    dtype: torch.dtype

    def encode(self, images: np.ndarray | Tensor, crop: Crop = "square") -> Tensor:
        """Pictures to latents, each picture on its own.

        Args:
            images: uint8 RGB [B, height, width, 3] of any size, on the CPU or the model's device.
            crop: which part is used; see :mod:`vjepa_mpc.worldmodel.preprocess`.

        Returns:
            [B, N, D] in ``dtype`` on ``device``.
        """
        ...

    def start_rollout(
        self, context: Tensor, pose: Tensor, samples: int, horizon: int = 1, past_actions: Tensor | None = None
    ) -> Rollout:
        """Begin predicting from what has been observed.

        Args:
            context: [N, D] latent of the newest frame, or [T, N, D] of the last T frames, oldest first; on ``device``.
            pose: [7] float32 measured pose at that frame, or [T, 7], on ``device``: x, y, z in metres, extrinsic
                xyz Euler radians and closedness in the robot base frame.
            samples: the most candidates that one step may carry.
            horizon: the most steps between two resets.
            past_actions: [T - 1, 7] actions that led from each observed frame to the next; None with one frame.
        """
        ...

    def rollout_bytes(self, horizon: int, observed_frames: int = 1) -> int:
        """Memory in bytes that one candidate needs in a rollout of so many steps after so many observed frames.

        As many candidates are predicted at once as there is memory for; too low a number costs a retry, no error.
        """
        ...


_ATTRIBUTES: dict[str, type] = {
    "tokens_per_frame": int,
    "embed_dim": int,
    "device": torch.device,
    "dtype": torch.dtype,
}
_METHODS = ("encode", "start_rollout", "rollout_bytes")


def check_world_model(model: object) -> None:
    """Refuse what cannot be planned with, before planning has begun.

    Raises:
        TypeError: all attributes and methods that are missing or of another type, in one message.
    """
    missing = [name for name in _ATTRIBUTES if not hasattr(model, name)]
    missing += [f"{name}()" for name in _METHODS if not callable(getattr(model, name, None))]
    wrong = [
        f"{name} is a {type(getattr(model, name)).__name__} instead of a {kind.__module__}.{kind.__qualname__}".replace(
            "builtins.", ""
        )
        for name, kind in _ATTRIBUTES.items()
        if hasattr(model, name) and not isinstance(getattr(model, name), kind)
    ]
    if missing or wrong:
        problems = ([f"it lacks {', '.join(missing)}"] if missing else []) + wrong
        raise TypeError(
            f"{type(model).__name__} is no world model: {'; '.join(problems)}. "
            "See vjepa_mpc.worldmodel.interface.WorldModel"
        )
