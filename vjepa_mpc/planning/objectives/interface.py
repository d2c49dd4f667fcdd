"""The interface of objectives, and what they are given to score."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vjepa_mpc.geometry.pose import next_pose
from vjepa_mpc.planning.parts import Setup


class Predicted:
    """Where action sequences are predicted to lead.

    Nothing is computed before it is asked for, so that an objective pays only for what it reads.

    Args:
        steps: predicted latents [S, N, D] after each of the H actions.
        actions: [S, H, 7] float32: what the pose's entries change by.
        pose: [7] float32 pose at which the first action begins: x, y, z in metres, extrinsic xyz Euler radians,
            closedness 0 (open) to 1; robot base frame.
    """

    def __init__(self, steps: Sequence[Tensor], actions: Tensor, pose: Tensor) -> None:
        self._steps, self.actions, self._pose = steps, actions, pose

    @property
    def last(self) -> Tensor:
        """[S, N, D] latents after the last action, layer-normed, in the world model's dtype."""
        return self._steps[-1]

    @functools.cached_property
    def latents(self) -> Tensor:
        """[S, H, N, D] latents after each action."""
        return torch.stack(list(self._steps), dim=1)

    @functools.cached_property
    def poses(self) -> Tensor:
        """[S, H, 7] poses after each action: metres, extrinsic xyz Euler radians, closedness; robot base frame."""
        pose, poses = self._pose.to(self.actions).expand(len(self.actions), -1), []
        for action in self.actions.unbind(dim=1):
            pose = next_pose(pose, action)
            poses.append(pose)
        return torch.stack(poses, dim=1)


class Objective(ABC):
    """Says how bad it is where action sequences lead. Lower is better."""

    def prepare(self, setup: Setup) -> None:  # noqa: B027  (most need nothing)
        """Called once, before anything is scored."""

    @abstractmethod
    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """Energies [S], float32.

        It may be recorded as a CUDA graph: it must not wait for the device (``item``, ``float``, ``if tensor``), and
        its operations must not depend on values. It is differentiated by the optimiser ``gradient``.

        Args:
            predicted: of S candidates.
            goal: [N, D] latent of the goal image, on the same device.
        """


Energy = Callable[[Tensor, Tensor], Tensor]
"""A plain function of the last latents [S, N, D] and the goal [N, D] that gives energies [S]."""


class OfLastLatents(Objective):
    """A plain function as an objective.

    Args:
        energy: of the latents after the last action.
    """

    def __init__(self, energy: Energy) -> None:
        self._energy = energy

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        return self._energy(predicted.last, goal)

    def __str__(self) -> str:
        return getattr(self._energy, "__qualname__", repr(self._energy))


def as_objective(given: Objective | Energy) -> Objective:
    """An objective as it is; a plain function as one.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, Objective):
        return given
    if isinstance(given, type) or not callable(given):
        raise TypeError(f"objective={given!r}: give an Objective (not its class), or a function (latents, goal)")
    return OfLastLatents(given)


def check_energies(energies: Tensor, candidates: int, objective: Objective) -> Tensor:
    """The energies of so many candidates, if that is what they are.

    Raises:
        ValueError: they are of another shape.
    """
    shape = tuple(energies.shape) if isinstance(energies, Tensor) else None
    if shape == (candidates,):
        return energies
    found = f"a {type(energies).__name__}" if shape is None else f"energies of shape {list(shape)}"
    raise ValueError(
        f"the objective {name_of(objective)} returned {found} instead of [{candidates}]: return a tensor with one "
        "number per candidate, e.g. a mean over all dimensions but the first"
    )


def name_of(objective: Objective) -> str:
    """What messages call it."""
    return str(objective) if isinstance(objective, OfLastLatents) else type(objective).__qualname__
